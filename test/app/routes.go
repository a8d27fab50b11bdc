package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

type app struct {
	started  time.Time
	stopping context.Context //nolint:containedctx // done when the application is told to stop

	mu     sync.Mutex
	health int // status of /health; 0 is 200
	greets int // status of /; 0 is 200
}

// query reads parameters of a request.
type query struct{ *http.Request }

func (q query) text(name string) string { return q.URL.Query().Get(name) }

func (q query) number(name string) int {
	n, err := strconv.Atoi(q.text(name))
	if err != nil {
		return 0
	}
	return n
}

// routes are what requests can ask of the application:
//
//	/                        "hello", the variable VERSION and the host name, which tells instances apart; with the status in HELLO_STATUS
//	/greets?set=             changes that status at this instance
//	/request                 the request as it arrived, as JSON
//	/env                     the environment, as JSON
//	/status?code=            answers with that status
//	/slow?ms=                answers after that time
//	/health, /health?set=    answers with HEALTH_STATUS, or changes that
//	/file?path=              GET reads a file, PUT writes the body to it
//	/fill?path=&mib=         writes a file of that size
//	/eat?mib=                takes memory and keeps it
//	/burn?ms=&threads=       computes for that long; answers with the CPU time it got, in milliseconds
//	/print?text=             prints a line
//	/dial?address=           "connected", or why not
//	/exchange?address=       sends the body there and answers with what comes back within a second
//	/exit?code=              ends without an answer
//	/long/socket             a WebSocket that echoes messages; "who" asks for version and host name, "close 4321 why" closes so
//	/long/events?every=      server-sent events: version, host name and a number, at that pace
//	/long/echo               answers with the body as it comes, while it comes; ends with the trailer X-Sum, its length
//	/long/bytes?mib=         answers with so much
func (a *app) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, do := range map[string]func(http.ResponseWriter, query) error{
		"/{$}": a.hello, "/greets": a.setGreets, "/request": request, "/env": environment, "/status": status, "/slow": slow, "/health": a.healthy,
		"/long/socket": a.socket, "/long/events": a.events, "/long/echo": echo, "/long/bytes": manyBytes,
		"GET /file": readFile, "PUT /file": writeFile, "/fill": fillFile, "/eat": take, "/burn": burn, "/print": printLine, "/dial": dial, "/exchange": exchange, "/exit": exit,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(w, query{r}); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
			}
		})
	}
	return mux
}

func (a *app) hello(w http.ResponseWriter, _ query) error {
	a.mu.Lock()
	code := a.greets
	a.mu.Unlock()
	if code != 0 {
		w.WriteHeader(code)
	}
	_, err := fmt.Fprintf(w, "hello %s\n", whoAmI())
	return err
}

func (a *app) setGreets(w http.ResponseWriter, q query) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.greets = q.number("set")
	fmt.Fprintf(w, "hello %s\n", whoAmI())
	return nil
}

// whoAmI is the version and the instance.
func whoAmI() string {
	host, err := os.Hostname()
	if err != nil {
		host = err.Error()
	}
	return os.Getenv("VERSION") + " from " + host
}

func request(w http.ResponseWriter, q query) error {
	body, err := io.ReadAll(q.Body)
	if err != nil {
		return err
	}
	return json.NewEncoder(w).Encode(map[string]any{
		"Method": q.Method, "Host": q.Host, "URI": q.RequestURI, "Proto": q.Proto, "Header": q.Header, "Body": string(body), "TLS": q.TLS != nil, "Remote": q.RemoteAddr,
	})
}

func environment(w http.ResponseWriter, _ query) error {
	return json.NewEncoder(w).Encode(os.Environ())
}

func status(w http.ResponseWriter, q query) error {
	w.WriteHeader(q.number("code"))
	return nil
}

func slow(w http.ResponseWriter, q query) error {
	select {
	case <-time.After(time.Duration(q.number("ms")) * time.Millisecond):
	case <-q.Context().Done():
		return q.Context().Err()
	}
	fmt.Fprintln(w, "done")
	return nil
}

func (a *app) healthy(w http.ResponseWriter, q query) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n := q.number("set"); n != 0 {
		a.health = n
		return nil
	}
	if a.health != 0 {
		w.WriteHeader(a.health)
	}
	fmt.Fprintf(w, "up for %s\n", time.Since(a.started))
	return nil
}

func readFile(w http.ResponseWriter, q query) error {
	b, err := os.ReadFile(q.text("path"))
	if errors.Is(err, os.ErrNotExist) {
		http.Error(w, err.Error(), http.StatusNotFound)
		return nil
	}
	if err == nil {
		_, err = w.Write(b)
	}
	return err
}

func writeFile(_ http.ResponseWriter, q query) error {
	b, err := io.ReadAll(q.Body)
	if err != nil {
		return err
	}
	return os.WriteFile(q.text("path"), b, 0o644)
}

func fillFile(w http.ResponseWriter, q query) error {
	if err := fill(q.text("path"), q.number("mib")); err != nil {
		return err
	}
	fmt.Fprintln(w, "written")
	return nil
}

// fill takes that much of the disk for a file, bit by bit as writing would, without the time that writing takes.
func fill(path string, mib int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	const step = 16
	for done := 0; done < mib; done += step {
		if err := syscall.Fallocate(int(f.Fd()), 0, int64(done)<<20, step<<20); err != nil {
			return errors.Join(fmt.Errorf("write %s: %w", path, err), f.Close())
		}
	}
	return errors.Join(f.Sync(), f.Close())
}

var kept [][]byte

// eat takes memory and touches every page of it.
func eat(mib int) {
	for range mib {
		b := make([]byte, 1<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		kept = append(kept, b)
	}
}

func take(w http.ResponseWriter, q query) error {
	eat(q.number("mib"))
	fmt.Fprintln(w, "taken")
	return nil
}

func burn(w http.ResponseWriter, q query) error {
	runtime.GOMAXPROCS(max(q.number("threads"), 1))
	before := used()
	end := time.Now().Add(time.Duration(q.number("ms")) * time.Millisecond)
	var wg sync.WaitGroup
	for range max(q.number("threads"), 1) {
		wg.Go(func() {
			for time.Now().Before(end) { //nolint:revive // computing is the point
			}
		})
	}
	wg.Wait()
	fmt.Fprint(w, (used() - before).Milliseconds())
	return nil
}

// used is the CPU time this process has used.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func printLine(_ http.ResponseWriter, q query) error {
	log.Print(q.text("text"))
	return nil
}

func dial(w http.ResponseWriter, q query) error {
	conn, err := net.DialTimeout("tcp", q.text("address"), 2*time.Second)
	if err != nil {
		fmt.Fprintln(w, err)
		return nil
	}
	fmt.Fprintln(w, "connected")
	return conn.Close()
}

func exchange(w http.ResponseWriter, q query) error {
	conn, err := net.DialTimeout("tcp", q.text("address"), 2*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.Copy(conn, q.Body); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err = io.Copy(w, conn); errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return err
}

func exit(_ http.ResponseWriter, q query) error {
	os.Exit(q.number("code"))
	return nil
}
