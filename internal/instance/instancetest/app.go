package instancetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// AppPath is where the suite expects the application in the root file system.
const AppPath = "/usr/bin/testapp"

// Process is what an application sees of its surroundings.
type Process struct {
	Args           []string // Args[0] is the program
	Env            []string
	Stdout, Stderr io.Writer
	Terminate      <-chan struct{} // closed by SIGTERM
	Listen         func(port string) (net.Listener, error)
	Eat            func(mib int) // takes memory and keeps it
}

// App is the application: "exit N", "print STREAM LINE…", "flood N", "wait", "serve PORT" or "stubborn PORT". It returns the exit
// code. A server is driven by requests, see handler.
func App(ctx context.Context, p Process) int {
	if len(p.Args) < 2 {
		fmt.Fprintln(p.Stderr, "usage: app exit|print|flood|wait|serve|stubborn …")
		return 2
	}
	rest := p.Args[2:]
	switch p.Args[1] {
	case "exit":
		return number(rest, 0)
	case "print":
		return printLines(p, rest)
	case "flood":
		for i := range number(rest, 1) {
			fmt.Fprintf(p.Stdout, "line %d\n", i)
		}
		return 0
	case "wait":
		select {
		case <-p.Terminate:
			return 0
		case <-ctx.Done():
			return 1
		}
	case "serve", "stubborn":
		return serve(ctx, p, strings.Join(rest, ""), p.Args[1] == "stubborn")
	}
	fmt.Fprintf(p.Stderr, "app: unknown verb %q\n", p.Args[1])
	return 2
}

func number(args []string, def int) int {
	if len(args) == 0 {
		return def
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return def
	}
	return n
}

// printLines writes text as it is: the caller puts line ends where it wants them.
func printLines(p Process, args []string) int {
	for i := 0; i+1 < len(args); i += 2 {
		out := p.Stdout
		if args[i] == "stderr" {
			out = p.Stderr
		}
		io.WriteString(out, args[i+1])
	}
	return 0
}

func serve(ctx context.Context, p Process, port string, stubborn bool) int {
	l, err := p.Listen(port)
	if err != nil {
		fmt.Fprintln(p.Stderr, err)
		return 1
	}
	exit := make(chan int, 1)
	server := &http.Server{Handler: handler(p, exit), ReadHeaderTimeout: time.Minute}
	defer server.Close()
	go func() { _ = server.Serve(l) }()
	fmt.Fprintf(p.Stdout, "listening on %s\n", port)
	terminate := p.Terminate
	for {
		select {
		case code := <-exit:
			return code
		case <-ctx.Done():
			return 1
		case <-terminate:
			fmt.Fprintln(p.Stdout, "told to stop")
			if !stubborn {
				return 0
			}
			terminate = nil
		}
	}
}

// handler lets a test make the application do things:
//
//	/slow?ms=       answers after that time
//	/env?name=      its environment variable
//	/log?text=      writes a line to standard output
//	/exit?code=     ends it
//	/eat?mib=       takes memory
//	/read?path=     a file's content
//	/write?path=&mib=   writes a file of that size
//	/spin?ms=       computes for that long
//	/fork?n=        starts n processes, answers how many came to be
//	/dial?addr=     "connected", or why not
func handler(p Process, exit chan<- int) http.Handler {
	mux := http.NewServeMux()
	handle := func(path string, do func(q func(string) string) (string, error)) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			answer, err := do(r.URL.Query().Get)
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			io.WriteString(w, answer)
		})
	}
	handle("/", func(func(string) string) (string, error) { return "hello", nil })
	handle("/slow", func(q func(string) string) (string, error) {
		time.Sleep(time.Duration(number([]string{q("ms")}, 0)) * time.Millisecond)
		return "done", nil
	})
	handle("/env", func(q func(string) string) (string, error) {
		for _, e := range p.Env {
			if v, ok := strings.CutPrefix(e, q("name")+"="); ok {
				return v, nil
			}
		}
		return "", errors.New("not set")
	})
	handle("/log", func(q func(string) string) (string, error) {
		_, err := io.WriteString(p.Stdout, q("text")+"\n")
		return "", err
	})
	handle("/exit", func(q func(string) string) (string, error) {
		exit <- number([]string{q("code")}, 0)
		return "", nil
	})
	handle("/eat", func(q func(string) string) (string, error) {
		p.Eat(number([]string{q("mib")}, 0))
		return "eaten", nil
	})
	handle("/read", func(q func(string) string) (string, error) {
		b, err := os.ReadFile(q("path"))
		return string(b), err
	})
	handle("/write", func(q func(string) string) (string, error) {
		return "", writeFile(q("path"), number([]string{q("mib")}, 0))
	})
	handle("/spin", func(q func(string) string) (string, error) {
		end := time.Now().Add(time.Duration(number([]string{q("ms")}, 0)) * time.Millisecond)
		rounds := 0
		for time.Now().Before(end) {
			rounds++
		}
		return strconv.Itoa(rounds), nil
	})
	handle("/fork", func(q func(string) string) (string, error) { return fork(p.Args[0], number([]string{q("n")}, 0)) })
	handle("/dial", func(q func(string) string) (string, error) {
		conn, err := net.DialTimeout("tcp", q("addr"), 2*time.Second)
		if err != nil {
			return err.Error(), nil
		}
		conn.Close()
		return "connected", nil
	})
	handle("/lookup", func(q func(string) string) (string, error) {
		resolver := net.Resolver{PreferGo: true}
		addrs, err := resolver.LookupHost(context.Background(), q("host"))
		return strings.Join(addrs, " "), err
	})
	return mux
}

func writeFile(path string, mib int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	chunk := make([]byte, 1<<20)
	for range mib {
		if _, err := f.Write(chunk); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	if mib > 0 { // a pipe cannot be synced
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func fork(program string, n int) (string, error) {
	for i := range n {
		if err := exec.Command(program, "wait").Start(); err != nil { //nolint:noctx // they end with the container
			return fmt.Sprintf("%d processes, then: %v", i, err), nil
		}
	}
	return fmt.Sprintf("%d processes", n), nil
}
