package oci

import (
	"fmt"
	"net/netip"
)

// uidFirst is the first host id given to an instance. The ids from here on for 2^30 are given to nobody by Linux distributions
// (users of subuid(5) start at 100000 and go up, systemd's dynamic users end at 65519).
const (
	uidFirst  = 0x30000000
	uidRanges = 1 << 14
)

// idBase is the first host id of the instance at an address. Addresses are unique on the machine, so ranges are as well, as long
// as the pool is not larger than the default one.
func idBase(pool netip.Prefix, a netip.Addr) int {
	return uidFirst + int(offset(pool.Addr(), a)%uidRanges)*idRange
}

func offset(from, to netip.Addr) uint32 { return number(to) - number(from) }

func number(a netip.Addr) uint32 {
	b := a.As4()
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func fromNumber(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}

// chooseSubnet picks a subnet of the pool that overlaps nothing taken, preferred first.
func chooseSubnet(pool netip.Prefix, bits int, preferred netip.Prefix, taken []netip.Prefix) (netip.Prefix, error) {
	free := func(p netip.Prefix) bool {
		for _, t := range taken {
			if t.Overlaps(p) {
				return false
			}
		}
		return true
	}
	if preferred.IsValid() && preferred.Bits() == bits && pool.Overlaps(preferred) && free(preferred) {
		return preferred, nil
	}
	step := uint32(1) << (32 - bits)
	for i := range uint32(1) << (bits - pool.Bits()) {
		p := netip.PrefixFrom(fromNumber(number(pool.Addr())+i*step), bits)
		if free(p) {
			return p, nil
		}
	}
	return netip.Prefix{}, fmt.Errorf("the address pool %v has no subnet of length %d left that collides with no route of this machine; configure another pool", pool, bits)
}

// gateway is the bridge's own address.
func gateway(subnet netip.Prefix) netip.Addr { return subnet.Addr().Next() }

// chooseAddress picks a free address for an instance. It goes on from the last one, so that an address rests before it is used
// again: peers and connection tracking may still remember its former owner.
func chooseAddress(subnet netip.Prefix, last netip.Addr, used map[netip.Addr]bool) (netip.Addr, error) {
	size := uint32(1) << (32 - subnet.Bits())
	first := number(subnet.Addr())
	start := uint32(1)
	if last.IsValid() && subnet.Contains(last) {
		start = number(last) - first
	}
	for i := range size {
		n := (start + 1 + i) % size
		if a := fromNumber(first + n); n >= 2 && n < size-1 && !used[a] { // 0, 1 and the last are network, gateway, broadcast
			return a, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("all %d addresses of %v are in use; stop instances or configure a larger subnet", size-3, subnet)
}
