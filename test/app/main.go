package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	log.SetFlags(0)
	log.SetOutput(os.Stdout)
	for n := range number("PRINT_LINES") {
		log.Printf("line %d of the start", n+1)
	}
	if mib := number("EAT_MIB"); mib > 0 {
		log.Printf("taking %d MiB", mib)
		eat(mib)
	}
	if mib := number("FILL_MIB"); mib > 0 {
		if err := fill("/var/fill", mib); err != nil {
			log.Fatalf("filling the disk: %v", err)
		}
	}
	if os.Getenv("EXIT_CODE") != "" {
		log.Print("about to end")
		os.Exit(number("EXIT_CODE"))
	}
	time.Sleep(span("START_DELAY"))
	if every := span("COUNT_EVERY"); every > 0 {
		defer count(every)()
	}
	if err := serve(); err != nil {
		log.Print(err)
		defer os.Exit(1)
	}
}

// number reads a whole number from the environment; 0 when there is none.
func number(name string) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		return 0
	}
	return n
}

// span reads a duration from the environment; 0 when there is none.
func span(name string) time.Duration {
	d, err := time.ParseDuration(os.Getenv(name))
	if err != nil {
		return 0
	}
	return d
}

// count prints numbers until it is told to stop, and then the last one once more: "counted 12".
func count(every time.Duration) (stop func()) {
	end, counted := make(chan struct{}), make(chan int)
	go func() {
		for n := 1; ; n++ {
			fmt.Printf("count %d\n", n)
			select {
			case <-time.After(every):
			case <-end:
				counted <- n
				return
			}
		}
	}()
	return func() {
		close(end)
		fmt.Printf("counted %d\n", <-counted)
	}
}

func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	address := os.Getenv("LISTEN")
	if address == "none" {
		log.Print("listening nowhere")
		<-ctx.Done()
		return nil
	}
	if address == "" {
		address = net.JoinHostPort("0.0.0.0", os.Getenv("PORT"))
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	log.Printf("version %q listens on %s with %s", os.Getenv("VERSION"), address, strings.Join(os.Args[1:], " "))
	a := &app{started: time.Now(), health: number("HEALTH_STATUS"), greets: number("HELLO_STATUS"), stopping: ctx}
	srv := &http.Server{Handler: a.routes(), ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() {
		log.Print("told to stop")
		time.Sleep(span("STOP_DELAY"))
		_ = srv.Shutdown(context.WithoutCancel(ctx)) // its error is the platform's SIGKILL, which nobody reads
	})
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.Print("stopped")
	return nil
}
