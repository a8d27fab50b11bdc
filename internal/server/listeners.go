package server

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// fdsVariable tells a child which inherited descriptor is which socket: "api=3,dns-udp=4".
const fdsVariable = "SLIPWAY_FDS"

// Addresses are where an installation really listens, with port 0 replaced by the port the system gave.
type Addresses struct {
	API, HTTPS, HTTP, DNS string
}

// sockets are the listening sockets of an installation. The supervisor opens them once and keeps them open; its children
// inherit copies, so connections wait in the kernel while a child restarts.
type sockets struct {
	addrs Addresses
	files map[string]*os.File
}

// listen opens all sockets. An address that is in use is named with the flag that changes it.
func listen(c Config) (*sockets, error) {
	s := &sockets{files: map[string]*os.File{}}
	var err error
	tcp := func(flag, name, addr string) string {
		l, lerr := net.Listen("tcp", addr)
		if lerr != nil {
			err = errors.Join(err, fmt.Errorf("--%s %s: %w; choose another address with --%s", flag, addr, lerr, flag))
			return addr
		}
		f, ferr := shared(l.(*net.TCPListener))
		err = errors.Join(err, ferr, l.Close())
		s.files[name] = f
		return l.Addr().String()
	}
	s.addrs.API = tcp("api-addr", "api", c.APIAddr)
	s.addrs.HTTPS = tcp("https-addr", "https", c.HTTPSAddr)
	s.addrs.HTTP = tcp("http-addr", "http", c.HTTPAddr)
	s.addrs.DNS = tcp("dns-addr", "dns-tcp", c.DNSAddr)
	if err == nil {
		err = s.listenUDP("dns-addr", "dns-udp", s.addrs.DNS)
	}
	if err == nil && c.HTTP3 {
		err = s.listenUDP("https-addr", http3Socket, s.addrs.HTTPS)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// listenUDP opens the UDP socket beside a TCP one.
func (s *sockets) listenUDP(flag, name, addr string) error {
	p, err := net.ListenPacket("udp", addr)
	if err != nil {
		return fmt.Errorf("--%s %s: %w; choose another address with --%s", flag, addr, err, flag)
	}
	defer p.Close()
	s.files[name], err = shared(p.(*net.UDPConn))
	return err
}

// http3Socket names the UDP socket of the applications, which is there only when HTTP/3 is switched on.
const http3Socket = "https-udp"

// edgeSockets are the sockets that the edge inherits.
func (s *sockets) edgeSockets() []string {
	names := []string{"https", "http"}
	if s.files[http3Socket] != nil {
		names = append(names, http3Socket)
	}
	return names
}

// shared is a descriptor of a socket to hand on. What net's own File gives turns the socket blocking whenever it is handed on, for those
// too that accept on it at that moment.
func shared(l interface{ File() (*os.File, error) }) (*os.File, error) {
	f, err := l.File()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	raw, err := f.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, derr := -1, error(nil)
	err = raw.Control(func(own uintptr) { fd, derr = unix.FcntlInt(own, unix.F_DUPFD_CLOEXEC, 0) })
	if err = errors.Join(err, derr); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

func (s *sockets) close() {
	for _, f := range s.files {
		if f != nil {
			f.Close()
		}
	}
}

// inherit picks the named sockets for a child: its ExtraFiles and the variable that names them.
func (s *sockets) inherit(names ...string) (files []*os.File, env string) {
	var parts []string
	for _, n := range names {
		parts = append(parts, n+"="+strconv.Itoa(3+len(files))) // ExtraFiles begin at descriptor 3
		files = append(files, s.files[n])
	}
	return files, fdsVariable + "=" + strings.Join(parts, ",")
}

// inherited opens the sockets the supervisor handed to this process.
func inherited() (map[string]*os.File, error) {
	files := map[string]*os.File{}
	for part := range strings.SplitSeq(os.Getenv(fdsVariable), ",") {
		name, number, ok := strings.Cut(part, "=")
		fd, err := strconv.Atoi(number)
		if !ok || err != nil || fd < 3 {
			return nil, fmt.Errorf("this command is started by `slipway up`, not by hand (%s=%q)", fdsVariable, os.Getenv(fdsVariable))
		}
		syscall.CloseOnExec(fd) // what this process starts, shims above all, must not hold the sockets when it is gone
		files[name] = os.NewFile(uintptr(fd), name)
	}
	return files, nil
}

// packetConnFrom turns an inherited socket into a packet connection.
func packetConnFrom(files map[string]*os.File, name string) (net.PacketConn, error) {
	f := files[name]
	if f == nil {
		return nil, fmt.Errorf("the socket %q was not inherited", name)
	}
	defer f.Close()
	p, err := net.FilePacketConn(f)
	if err != nil {
		return nil, fmt.Errorf("inherited socket %q: %w", name, err)
	}
	return p, nil
}

// listenerFrom turns an inherited socket into a listener.
func listenerFrom(files map[string]*os.File, name string) (net.Listener, error) {
	f := files[name]
	if f == nil {
		return nil, fmt.Errorf("the socket %q was not inherited", name)
	}
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("inherited socket %q: %w", name, err)
	}
	return l, nil
}
