// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"katrace/internal/loader"
	"katrace/internal/owner"
)

// source gives the sockets of one network namespace after the other.
type source struct {
	method Method
	passed error     // why BPF was passed over
	iter   *iterator // for BPF
	owners *owner.Scanner
}

// openSource chooses the method. An error means that BPF was asked for and
// cannot be had.
func openSource(o Options) (*source, error) {
	switch o.Method {
	case Netlink:
		return &source{method: Netlink, owners: owner.NewScanner(false)}, nil
	case BPF, Auto, "":
	default:
		return nil, fmt.Errorf("unknown method %q", o.Method)
	}
	it, err := openIterator(o.BTF)
	switch {
	case err == nil:
		return &source{method: BPF, iter: it, owners: owner.NewScanner(true)}, nil
	case o.Method == BPF || !errors.Is(err, loader.ErrUnsupported):
		return nil, err
	}
	return &source{method: Netlink, passed: err, owners: owner.NewScanner(false)}, nil
}

func (s *source) close() {
	if s.iter != nil {
		s.iter.close()
	}
	s.owners.Close()
}

// sockets calls each for every TCP socket of the calling thread's network
// namespace, netns, in the wanted states (a bit each).
func (s *source) sockets(ctx context.Context, netns, states uint32, each func(*Socket)) error {
	if s.method == BPF {
		return s.iter.sockets(ctx, states, each)
	}
	d, err := openDiag(netns)
	if err != nil {
		return err
	}
	defer d.close()
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		if err := d.sockets(ctx, family, states, each); err != nil {
			return err
		}
	}
	return nil
}
