package oci

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// dumps is how often a list that changed while the kernel told it is asked for again.
const dumps = 50

// dump asks the kernel for a whole list. Other programs add and remove interfaces meanwhile, and a list that was interrupted by
// one may miss entries.
func dump[T any](what string, list func() ([]T, error)) ([]T, error) {
	var all []T
	err := error(netlink.ErrDumpInterrupted)
	for n := 0; n < dumps && errors.Is(err, netlink.ErrDumpInterrupted); n++ {
		all, err = list()
	}
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", what, err)
	}
	return all, nil
}
