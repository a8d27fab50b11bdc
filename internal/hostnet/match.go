package hostnet

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// OnInterface matches packets that come in through, or go out to, an interface; key says which.
func OnInterface(key expr.MetaKey, name string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: interfaceName(name)}}
}

// NotToInterface matches packets that go out to another interface.
func NotToInterface(name string) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: 1}, &expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: interfaceName(name)}}
}

func interfaceName(name string) []byte {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return b
}

// Established matches packets of connections that were let in before, and errors about those.
func Established() []expr.Any {
	const bits = expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: binaryutil.NativeEndian.PutUint32(bits), Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func family(proto byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}}}
}

// IPv6 matches packets of IPv6.
func IPv6() []expr.Any { return family(unix.NFPROTO_IPV6) }

// The offsets of the two addresses in an IPv4 header.
const (
	sourceOffset      = 12
	destinationOffset = 16
)

func address(at uint32) []expr.Any {
	return append(family(unix.NFPROTO_IPV4), &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: at, Len: 4})
}

// Destination matches packets to an address.
func Destination(a netip.Addr) []expr.Any {
	return append(address(destinationOffset), &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: a.AsSlice()})
}

// DestinationIn matches packets to the addresses of a set.
func DestinationIn(set *nftables.Set) []expr.Any {
	return append(address(destinationOffset), &expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID})
}

// SourceIn matches packets from the addresses of a set.
func SourceIn(set *nftables.Set) []expr.Any {
	return append(address(sourceOffset), &expr.Lookup{SourceRegister: 1, SetName: set.Name, SetID: set.ID})
}

// SourceWithin matches packets from a network.
func SourceWithin(p netip.Prefix) []expr.Any { return within(p, sourceOffset) }

// DestinationWithin matches packets to a network.
func DestinationWithin(p netip.Prefix) []expr.Any { return within(p, destinationOffset) }

func within(p netip.Prefix, at uint32) []expr.Any {
	mask := binary.BigEndian.AppendUint32(nil, ^uint32(0)<<(32-p.Bits()))
	return append(address(at),
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: p.Masked().Addr().AsSlice()})
}

// Protocol matches packets of a protocol, as the IP header numbers it.
func Protocol(proto byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyL4PROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
	}
}

// Port matches packets to a port of TCP or UDP.
func Port(proto byte, number uint16) []expr.Any {
	return append(Protocol(proto), destinationPort(), &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: binaryutil.BigEndian.PutUint16(number)})
}

// Ports matches packets to one of several ports of TCP or UDP.
func Ports(proto byte, first, last uint16) []expr.Any {
	return append(Protocol(proto), destinationPort(), &expr.Range{
		Op: expr.CmpOpEq, Register: 1, FromData: binaryutil.BigEndian.PutUint16(first), ToData: binaryutil.BigEndian.PutUint16(last),
	})
}

func destinationPort() expr.Any {
	return &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2}
}

// ICMP matches messages of a type and code of ICMP; -1 for all.
func ICMP(kind, code int) []expr.Any {
	list := Protocol(unix.IPPROTO_ICMP)
	for offset, value := range []int{kind, code} {
		if value >= 0 {
			list = append(list,
				&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: uint32(offset), Len: 1},
				&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{byte(value)}})
		}
	}
	return list
}

// Accept lets a packet pass this hook.
func Accept() []expr.Any { return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}} }

// Drop lets a packet vanish.
func Drop() []expr.Any { return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}} }

// Reject answers at once where a drop would let the application wait for its timeout.
func Reject() []expr.Any {
	return []expr.Any{&expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_ADMIN_PROHIBITED}}
}

// LeadTo changes a packet's destination.
func LeadTo(a netip.Addr, to uint16) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: a.AsSlice()},
		&expr.Immediate{Register: 2, Data: binary.BigEndian.AppendUint16(nil, to)},
		&expr.NAT{Type: expr.NATTypeDestNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1, RegProtoMin: 2},
	}
}

// SendFrom changes a packet's source.
func SendFrom(a netip.Addr) []expr.Any {
	return []expr.Any{
		&expr.Immediate{Register: 1, Data: a.AsSlice()},
		&expr.NAT{Type: expr.NATTypeSourceNAT, Family: unix.NFPROTO_IPV4, RegAddrMin: 1},
	}
}

// Jump goes on with the rules of another chain and comes back where those decided nothing.
func Jump(to *nftables.Chain) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictJump, Chain: to.Name}}
}
