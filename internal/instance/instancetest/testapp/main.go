// Command testapp is instancetest.App as a program, to be put into root file systems. Build it without cgo.
package main

import (
	"context"
	"net"
	"os"
	"os/signal"
	"syscall"

	"slipway.dev/slipway/internal/instance/instancetest"
)

func main() {
	signals, terminate := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM)
	go func() {
		<-signals
		close(terminate)
	}()
	var eaten [][]byte
	os.Exit(instancetest.App(context.Background(), instancetest.Process{
		Args: os.Args, Env: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr, Terminate: terminate,
		Listen: func(port string) (net.Listener, error) { return net.Listen("tcp", ":"+port) },
		Eat: func(mib int) {
			for range mib {
				page := make([]byte, 1<<20)
				for i := range page {
					page[i] = 1
				}
				eaten = append(eaten, page)
			}
		},
	}))
}
