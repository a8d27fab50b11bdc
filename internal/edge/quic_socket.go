package edge

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"golang.org/x/net/ipv4"
)

// The connections of HTTP/3 share one UDP socket, so when one edge takes over from another only one of them may read it. The ids that an
// edge gives its connections begin with a mark of its own. The elder edge reads the socket until it drains; then the younger one does,
// and passes on what is marked as the elder's, which has a socket for that. Both write to the UDP socket.

// quicMark begins the connection ids of an edge; the last byte is its generation.
type quicMark [3]byte

// quicIDLength is the length of connection ids; what follows the mark is random.
const quicIDLength = 8

func newQUICMark(generation byte) quicMark { return quicMark{0x51, 0x57, generation} }

// GenerateConnectionID implements quic.ConnectionIDGenerator.
func (m quicMark) GenerateConnectionID() (quic.ConnectionID, error) {
	var id [quicIDLength]byte
	if _, err := rand.Read(id[copy(id[:], m[:]):]); err != nil {
		return quic.ConnectionID{}, err
	}
	return quic.ConnectionIDFromBytes(id[:]), nil
}

// ConnectionIDLen implements quic.ConnectionIDGenerator.
func (quicMark) ConnectionIDLen() int { return quicIDLength }

// elsewhere tells whether a packet belongs to a connection of another edge (RFC 9000 §17). The ids that clients choose before they know
// that of the server look like a marked one once in 16 million times.
func (m quicMark) elsewhere(packet []byte) bool {
	const short, long = 1, 6 // where the id begins
	at := short
	if len(packet) > 0 && packet[0]&0x80 != 0 {
		if at = long; len(packet) < long || packet[long-1] != quicIDLength {
			return false
		}
	}
	if len(packet) < at+quicIDLength {
		return false
	}
	id := packet[at:]
	return id[0] == m[0] && id[1] == m[1] && id[2] != m[2]
}

// quicHome is where packets for connections of an edge are passed on to.
type quicHome struct {
	Inbox      string // an abstract unix socket; "" for none
	Generation byte
}

// quicSocket is the UDP socket as one edge sees it. It takes the place of [net.UDPConn] in quic-go.
type quicSocket struct {
	*net.UDPConn
	batch *ipv4.PacketConn
	inbox *net.UnixConn // what the younger edge passes on
	mark  quicMark
	elder *net.UnixAddr // nil: none
	given atomic.Bool   // the younger edge reads the UDP socket
	// letter is what was passed on last: the address it came from, behind its length, and the packet. Only the reader uses it.
	letter [2 << 10]byte
}

// newQUICSocket prepares the socket for an edge that takes over from another one, or from none.
func newQUICSocket(udp *net.UDPConn, elder quicHome) (*quicSocket, error) {
	var name [16]byte
	if _, err := rand.Read(name[:]); err != nil {
		return nil, err
	}
	inbox, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@slipway-http3-" + hex.EncodeToString(name[:]), Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("HTTP/3: %w", err)
	}
	q := &quicSocket{UDPConn: udp, batch: ipv4.NewPacketConn(udp), inbox: inbox, mark: newQUICMark(elder.Generation + 1)}
	if elder.Inbox != "" {
		q.elder = &net.UnixAddr{Name: elder.Inbox, Net: "unixgram"}
	}
	return q, nil
}

func (q *quicSocket) home() quicHome {
	if q == nil {
		return quicHome{}
	}
	return quicHome{Inbox: q.inbox.LocalAddr().String(), Generation: q.mark[2]}
}

// give leaves the UDP socket to the younger edge: from now on only what that passes on is read.
func (q *quicSocket) give() {
	q.given.Store(true)
	q.UDPConn.SetReadDeadline(longAgo)
}

// SetReadDeadline ends reading, wherever from.
func (q *quicSocket) SetReadDeadline(t time.Time) error {
	q.inbox.SetReadDeadline(t)
	return q.UDPConn.SetReadDeadline(t)
}

// Close closes both sockets.
func (q *quicSocket) Close() error {
	q.inbox.Close()
	return q.UDPConn.Close()
}

// ReadBatch is what quic-go reads by.
func (q *quicSocket) ReadBatch(ms []ipv4.Message, flags int) (int, error) {
	for {
		if q.given.Load() {
			return q.readInbox(ms)
		}
		n, err := q.batch.ReadBatch(ms, flags)
		if err != nil && !q.given.Load() {
			return n, err
		}
		if n = q.own(ms[:max(n, 0)]); n > 0 {
			return n, nil
		}
	}
}

// own passes on what belongs to the elder edge and returns how many of the packets remain, in front. Only contents move: the buffers
// belong to their places.
func (q *quicSocket) own(ms []ipv4.Message) int {
	n := 0
	for i := range ms {
		m := &ms[i]
		if q.mark.elsewhere(m.Buffers[0][:m.N]) && q.passOn(m) {
			continue
		}
		if to := &ms[n]; n != i {
			to.N, to.NN, to.Addr, to.Flags = copy(to.Buffers[0], m.Buffers[0][:m.N]), copy(to.OOB, m.OOB[:m.NN]), m.Addr, m.Flags
		}
		n++
	}
	return n
}

// passPatience is how long the elder edge is waited for with a packet; one that is lost is sent again.
const passPatience = 5 * time.Millisecond

// passOn sends a packet to the elder edge; false when there is none, or none any more. Who sent the packet learns then from this edge that
// its connection is gone.
func (q *quicSocket) passOn(m *ipv4.Message) bool {
	if q.elder == nil {
		return false
	}
	from, ok := m.Addr.(*net.UDPAddr)
	if !ok {
		return true
	}
	origin, err := from.AddrPort().MarshalBinary()
	if err != nil {
		return true
	}
	letter := append(append([]byte{byte(len(origin))}, origin...), m.Buffers[0][:m.N]...)
	q.inbox.SetWriteDeadline(time.Now().Add(passPatience))
	_, err = q.inbox.WriteToUnix(letter, q.elder)
	return !ended(err)
}

// readInbox waits for a packet that was passed on.
func (q *quicSocket) readInbox(ms []ipv4.Message) (int, error) {
	for {
		n, err := q.inbox.Read(q.letter[:])
		if err != nil {
			return 0, err
		}
		letter := q.letter[:n]
		var from netip.AddrPort
		if n == 0 || n < 1+int(letter[0]) || from.UnmarshalBinary(letter[1:1+int(letter[0])]) != nil {
			continue
		}
		m := &ms[0]
		m.N, m.NN, m.Addr = copy(m.Buffers[0], letter[1+int(letter[0]):]), 0, net.UDPAddrFromAddrPort(from)
		if q.own(ms[:1]) == 1 {
			return 1, nil
		}
	}
}
