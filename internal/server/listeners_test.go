package server

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSharedSocketsStayNonblocking: handing a socket on changes nothing for who accepts on it meanwhile.
func TestSharedSocketsStayNonblocking(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	f, err := shared(l.(*net.TCPListener))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
}
