package edge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"slipway.dev/slipway/internal/hostnet"
)

// PrivateListener is an address of an interface endpoint, at which the services that are joined to the endpoint answer (§20.2): HTTPS at
// port 443, and redirects to it at port 80. The edge opens the sockets itself, from the table on disk too.
type PrivateListener struct {
	EndpointID string
	Namespace  string // path of the network namespace that has the address
	Address    netip.Addr
}

// validatePrivate tells the first fault of private listeners.
func validatePrivate(list []PrivateListener) error {
	seen := map[PrivateListener]bool{}
	for _, l := range list {
		place := PrivateListener{Namespace: l.Namespace, Address: l.Address}
		switch {
		case l.EndpointID == "":
			return fmt.Errorf("the private listener at %v has no EndpointID", l.Address)
		case !filepath.IsAbs(l.Namespace):
			return fmt.Errorf("private listener of %s: Namespace %q is not an absolute path", l.EndpointID, l.Namespace)
		case !l.Address.IsValid() || l.Address.IsUnspecified():
			return fmt.Errorf("private listener of %s: Address %v is not that of an interface", l.EndpointID, l.Address)
		case seen[place]:
			return fmt.Errorf("private listener of %s: %v in %s is named twice", l.EndpointID, l.Address, l.Namespace)
		}
		seen[place] = true
	}
	return nil
}

// The ports of a private listener.
const (
	securePort = 443
	plainPort  = 80
)

// doorsEvery is how often the edge looks whether the namespaces of its private listeners are still the same, and tries again what it
// could not open.
const doorsEvery = time.Second

// door is an open private listener.
type door struct {
	in      hostnet.Identity // a namespace may be made anew at the same path
	sockets []net.Listener
}

func (d *door) close() {
	for _, l := range d.sockets {
		l.Close()
	}
}

// keepDoors keeps the private listeners of the table open until draining begins.
func (s *Server) keepDoors(accepting *sync.WaitGroup) {
	open, told := map[PrivateListener]*door{}, map[PrivateListener]string{}
	defer func() {
		for _, d := range open {
			d.close()
		}
	}()
	tick := time.NewTicker(doorsEvery)
	defer tick.Stop()
	for {
		s.tendDoors(accepting, open, told)
		select {
		case <-s.stopAccept:
			return
		case <-s.routing.switched:
		case <-tick.C:
		}
	}
}

// tendDoors closes what is not wanted any more, or not where it has to be, and opens what is missing. told holds the faults that were
// logged already.
func (s *Server) tendDoors(accepting *sync.WaitGroup, open map[PrivateListener]*door, told map[PrivateListener]string) {
	where := map[PrivateListener]hostnet.Identity{}
	faults := map[PrivateListener]error{}
	for _, l := range s.routing.current.Load().table.Private {
		where[l], faults[l] = hostnet.Identify(l.Namespace)
	}
	for l, d := range open {
		if in, wanted := where[l]; !wanted || in != d.in {
			d.close()
			delete(open, l)
		}
	}
	for l, in := range where {
		if open[l] == nil && faults[l] == nil {
			if open[l], faults[l] = s.openDoor(accepting, l, in); faults[l] != nil {
				delete(open, l)
			}
		}
		if err := faults[l]; err == nil {
			delete(told, l)
		} else if told[l] != err.Error() {
			told[l] = err.Error()
			s.cfg.Log.Warn("a private listener is not open; trying on", "vpc_endpoint_id", l.EndpointID, "address", l.Address.String(), "error", err)
		}
	}
}

// openDoor opens the sockets of a private listener and accepts on them.
func (s *Server) openDoor(accepting *sync.WaitGroup, l PrivateListener, in hostnet.Identity) (*door, error) {
	d := &door{in: in}
	for _, p := range []struct {
		port  uint16
		serve func(*clientConn)
	}{{securePort, s.serveTLS}, {plainPort, s.std.serveRedirect}} {
		socket, err := listenInside(l.Namespace, netip.AddrPortFrom(l.Address, p.port))
		if err != nil {
			d.close()
			return nil, err
		}
		d.sockets = append(d.sockets, socket)
		accepting.Go(func() {
			_ = s.acceptAll(socket, func(cc *clientConn) { // it ends when the socket is closed
				cc.endpoint = l.EndpointID
				p.serve(cc)
			})
		})
	}
	return d, nil
}

// listenInside opens a listening socket in a network namespace. Two edges may have one at the same place while one takes over from the
// other; connections that wait at the one that closes go to the other (tcp_migrate_req of the namespace).
func listenInside(namespace string, at netip.AddrPort) (l net.Listener, err error) {
	share := func(_, _ string, c syscall.RawConn) error {
		var failed error
		err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
		return errors.Join(err, failed)
	}
	err = hostnet.Inside(namespace, func() error {
		l, err = (&net.ListenConfig{Control: share}).Listen(context.Background(), "tcp", at.String())
		return err
	})
	return l, err
}

// errNotJoined is why a handshake at an endpoint fails when the client names no service that is joined to it.
var errNotJoined = errors.New("no service of that name is joined to this endpoint")

// joined tells whether a handshake may go on: at an endpoint the client has to name a service that is joined to it (§20.2).
func (r *routing) joined(hello *tls.ClientHelloInfo) bool {
	endpoint := endpointOf(hello.Conn)
	return endpoint == "" || r.lookupAt(endpoint, hello.ServerName) != nil
}

// endpointOf is the interface endpoint that a connection came in at; "" for the public front door.
func endpointOf(c net.Conn) string {
	for {
		switch now := c.(type) {
		case *clientConn:
			return now.endpoint
		case *prefixConn:
			c = now.Conn
		case *tls.Conn:
			c = now.NetConn()
		default:
			return ""
		}
	}
}

type endpointKey struct{}

// withEndpoint notes the endpoint of a connection that net/http serves.
func withEndpoint(ctx context.Context, c net.Conn) context.Context {
	if endpoint := endpointOf(c); endpoint != "" {
		return context.WithValue(ctx, endpointKey{}, endpoint)
	}
	return ctx
}

// endpointIn is what withEndpoint noted.
func endpointIn(ctx context.Context) string {
	endpoint, _ := ctx.Value(endpointKey{}).(string)
	return endpoint
}
