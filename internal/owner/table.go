// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"katrace/internal/events"
)

// Holder is a process that holds a socket, and by which descriptor.
type Holder struct {
	Process   events.Process
	FD        int
	Cgroup    string
	Container string
	Count     int // processes that hold it; this is the oldest of them
}

// Table is what one scan of all processes found.
type Table struct {
	sockets map[uint64]entry
	procs   []*process // by rank, nil where the process holds no socket
	// Netns holds, for each network namespace that a descriptor refers to, the
	// path of one such descriptor.
	Netns map[uint32]string
}

type entry struct {
	rank  int32 // place among the processes, oldest first
	fd    int32
	last  int32 // rank of the holder counted last
	count int32
}

// Scan finds the holders of all sockets once, by as many threads as there are
// processors. The choice among several holders is that of Resolver.Lookup.
func Scan(ctx context.Context) (*Table, error) {
	first := &scanner{root: "/proc"}
	keys, err := first.pids()
	if err != nil {
		return nil, err
	}
	t := &Table{sockets: map[uint64]entry{}, procs: make([]*process, len(keys)), Netns: map[uint32]string{}}
	var (
		mu   sync.Mutex
		next atomic.Int64
		wg   sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			s := &scanner{root: "/proc"}
			var batch []found
			for {
				rank := next.Add(1) - 1
				if rank >= int64(len(keys)) || ctx.Err() != nil {
					return
				}
				pid := keys[rank].pid
				batch = batch[:0]
				// What a process that ends meanwhile held is not lost: nobody holds it.
				_ = s.links(pid, func(fd int32, target []byte) {
					if inode, ok := parseLink(target, "socket:["); ok {
						batch = append(batch, found{inode, fd})
					} else if ns, ok := parseLink(target, "net:["); ok {
						mu.Lock()
						t.Netns[uint32(ns)] = "/proc/" + strconv.Itoa(pid) + "/fd/" + strconv.Itoa(int(fd))
						mu.Unlock()
					}
				})
				if len(batch) == 0 {
					continue
				}
				p, err := readProcess(s.root, pid)
				if err != nil || p.procKey != keys[rank] {
					continue
				}
				mu.Lock()
				t.add(int32(rank), p, batch)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return t, ctx.Err()
}

func (t *Table) add(rank int32, p *process, batch []found) {
	t.procs[rank] = p
	for _, f := range batch {
		e, ok := t.sockets[f.inode]
		switch {
		case !ok:
			e = entry{rank, f.fd, rank, 1}
		case e.last == rank:
			continue // the same process by another descriptor
		default:
			e.count, e.last = e.count+1, rank
			if rank < e.rank {
				e.rank, e.fd = rank, f.fd
			}
		}
		t.sockets[f.inode] = e
	}
}

// Find is who held the socket at the time of the scan.
func (t *Table) Find(inode uint64) (Holder, bool) {
	e, ok := t.sockets[inode]
	if !ok || inode == 0 {
		return Holder{}, false
	}
	p := t.procs[e.rank]
	return Holder{events.Process{PID: p.pid, Comm: p.comm}, int(e.fd), p.cgroup, p.container.ID, int(e.count)}, true
}

// Len is the number of sockets found.
func (t *Table) Len() int { return len(t.sockets) }
