// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"context"

	"katrace/internal/conn"
	"katrace/internal/jiffies"
	"katrace/internal/owner"
)

// Walker goes through the TCP sockets of the network namespace that katrace runs
// in, one at a time: it keeps no list, and looks for no process. Once open it
// needs no privilege but, before 5.19, CAP_BPF.
type Walker struct {
	it    *iterator
	hz    jiffies.HZ
	paths *owner.CgroupPaths
	names *owner.Names
}

// OpenWalker loads the BPF iterator; names are of pods and containers, nil: none. An error wraps loader.ErrUnsupported where it
// cannot be had.
func OpenWalker(btfFile string, names *owner.Names) (*Walker, error) {
	hz, err := jiffies.Read()
	if err != nil {
		return nil, err
	}
	it, err := openIterator(btfFile)
	if err != nil {
		return nil, err
	}
	return &Walker{it, hz, owner.NewCgroupPaths(), names}, nil
}

// Close gives everything back.
func (w *Walker) Close() {
	w.it.close()
	w.paths.Close()
}

// Connected calls each for every connection. The Socket is used again after the
// call. Of its owner the cgroup alone is known.
func (w *Walker) Connected(ctx context.Context, each func(*Socket)) error {
	return w.it.sockets(ctx, allStates&^(1<<conn.TCPListen), func(s *Socket) {
		if !s.Connected() {
			return
		}
		s.foresee(w.hz)
		if path, in := w.paths.Find(s.CgroupID); path != "" && path != "/" {
			s.Cgroup, s.Container, s.Pod = path, in.ID, in.PodUID
		}
		w.names.Fill(&s.Owner)
		each(s)
	})
}
