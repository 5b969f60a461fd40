// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"context"

	"golang.org/x/sys/unix"
)

// source gives the sockets of one network namespace after the other.
type source struct {
	method Method
	passed error
}

// openSource chooses the method.
func openSource(o Options) (*source, error) {
	return &source{method: Netlink}, nil
}

func (s *source) close() {}

// sockets calls each for every TCP socket of the calling thread's namespace in
// the wanted states.
func (s *source) sockets(ctx context.Context, netns, states uint32, each func(*Socket)) error {
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
