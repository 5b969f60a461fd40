// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cilium/ebpf"
)

// FollowSize is how many connections are followed at once at most (Options.Follow).
func (t *Tracer) FollowSize() int { return int(t.coll.Maps[katraceMapFollowed].MaxEntries()) }

// Followed lists the addresses of the sockets that are followed, and fails once more
// says false. It takes half a microsecond each, and may be called by any goroutine. It
// walks the keys alone (BPF_MAP_GET_NEXT_KEY), because while an entry is looked up by
// bpf(2) no kprobe program runs on that processor (bpf_disable_instrumentation).
func (t *Tracer) Followed(more func() bool) ([]uint64, error) {
	m := t.coll.Maps[katraceMapFollowed]
	var all []uint64
	var key, next uint64
	err := m.NextKey(nil, &next)
	for ; err == nil; err = m.NextKey(&key, &next) {
		switch {
		case !more():
			return nil, errors.New("list the followed connections: stopped")
		case len(all) >= 2*int(m.MaxEntries()): // where the key has gone, the kernel begins again
			return nil, errors.New("list the followed connections: they change too fast")
		}
		key = next
		all = append(all, key)
	}
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil, fmt.Errorf("list the followed connections: %w", err)
	}
	return all, nil
}

// Written is how far records have been written by now, for HasRead.
func (t *Tracer) Written() uint64 { return atomic.LoadUint64(t.ring.written) }

// HasRead says whether Read has come so far.
func (t *Tracer) HasRead(written uint64) bool { return t.ring.at >= written }
