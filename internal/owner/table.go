// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"katrace/internal/conn"
)

// Holder is a process that holds a socket, and by which descriptor.
type Holder struct {
	Process   conn.Process
	HeldBy    conn.HeldBy // 0, HeldByThread or HeldByIOUring
	Task      int         // the thread in whose table FD is; the pid: the process's own
	FD        int         // by HeldByIOUring: of the io_uring
	Cgroup    string
	Container Container
	Count     int // processes that hold it; this is the oldest of them
}

// Table is what one scan of all processes found.
type Table struct {
	sockets map[uint64]entry
	procs   []*process
	// Netns holds, for each network namespace that a descriptor refers to, the
	// path of one such descriptor: of the oldest process that has one.
	Netns   map[uint32]string
	netnsBy map[uint32]*process
}

type entry struct {
	proc  int32 // place among the processes
	fd    int32
	last  int32 // place of the holder counted last
	count int32
}

// Scanner finds the holders of all sockets, once or again and again.
type Scanner struct {
	files *files
	held  int // sockets that the scan before found
}

// NewScanner makes one; bpf allows it a BPF iterator, where there can be one.
func NewScanner(bpf bool) *Scanner {
	s := &Scanner{}
	if bpf {
		s.files, _ = openFiles() // without it /proc serves
	}
	return s
}

// Way says how it scans: "task_file", the BPF iterator, or "/proc".
func (s *Scanner) Way() string { return way(s.files) }

func way(f *files) string {
	if f != nil {
		return "task_file"
	}
	return "/proc"
}

// Close gives everything back.
func (s *Scanner) Close() {
	if s.files != nil {
		s.files.close()
	}
}

// Scan finds the holders of all sockets once. The choice among several holders
// is that of Resolver.lookup.
func (s *Scanner) Scan(ctx context.Context) (*Table, error) {
	t := newTable(s.held)
	defer func() { s.held = len(t.sockets) }()
	if s.files != nil {
		if err := t.readFiles(ctx, s.files); err == nil || ctx.Err() != nil {
			return t, ctx.Err()
		}
		// Once it has failed it is not tried again: it would be slower than /proc.
		s.files.close()
		s.files, t = nil, newTable(s.held)
	}
	if err := t.readProc(ctx); err != nil {
		return nil, err
	}
	return t, ctx.Err()
}

// newTable makes room for so many sockets.
func newTable(sockets int) *Table {
	return &Table{sockets: make(map[uint64]entry, sockets), Netns: map[uint32]string{}, netnsBy: map[uint32]*process{}}
}

func (t *Table) readFiles(ctx context.Context, f *files) error {
	var batch []found
	err := f.each(func(f found) bool {
		if len(batch) > 0 && batch[0].holder() != f.holder() {
			t.add(holderOf(batch), batch)
			batch = batch[:0]
		}
		batch = append(batch, f)
		return ctx.Err() == nil
	})
	t.add(holderOf(batch), batch)
	return err
}

// readProc reads /proc by as many threads as there are processors.
func (t *Table) readProc(ctx context.Context) error {
	pids, err := pids()
	if err != nil {
		return err
	}
	var (
		mu   sync.Mutex
		next atomic.Int64
		wg   sync.WaitGroup
	)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			s := newProcFS()
			var batch []found
			for {
				i := next.Add(1) - 1
				if i >= int64(len(pids)) || ctx.Err() != nil {
					return
				}
				batch = batch[:0]
				// What a process that ends meanwhile held is not lost: nobody holds it.
				_ = s.process(pids[i], func(f found) bool {
					batch = append(batch, f)
					return true
				})
				for rest := batch; len(rest) > 0; {
					n := slices.IndexFunc(rest, func(f found) bool { return f.holder() != rest[0].holder() })
					if n < 0 {
						n = len(rest)
					}
					p := holderOf(rest[:n])
					mu.Lock()
					t.add(p, rest[:n])
					mu.Unlock()
					rest = rest[n:]
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// holderOf is the process whose descriptors these are; nil: there is none.
func holderOf(batch []found) *process {
	if len(batch) == 0 {
		return nil
	}
	p, err := readProcess(batch[0].holder())
	if err != nil {
		return nil // it has ended
	}
	return p
}

// add enters what one process holds, in one of its tables.
func (t *Table) add(p *process, batch []found) {
	if p == nil {
		return
	}
	t.procs = append(t.procs, p)
	at := int32(len(t.procs) - 1)
	for _, f := range batch {
		if f.inode == 0 {
			// A child that has not executed its program so far is about to let go of it.
			if inum, ok := f.netns(); ok && (t.netnsBy[inum] == nil || p.before(t.netnsBy[inum])) {
				t.Netns[inum], t.netnsBy[inum] = f.path(), p
			}
			continue
		}
		e, ok := t.sockets[f.inode]
		switch {
		case !ok:
			e = entry{at, f.fd, at, 1}
		case e.last == at:
			continue // the same table, by another descriptor
		default:
			owner, last := t.procs[e.proc], t.procs[e.last]
			if p.procKey != owner.procKey && p.procKey != last.procKey {
				e.count++
			}
			if e.last = at; p.before(owner) {
				e.proc, e.fd = at, f.fd
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
	p := t.procs[e.proc]
	return Holder{conn.Process{PID: int(p.pid), Comm: p.comm}, p.holder.by, int(p.holder.task), int(e.fd), p.cgroup, p.container, int(e.count)}, true
}
