// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// procKey identifies a process for as long as the machine is up: a pid is used
// again, but not with the same start time.
type procKey struct {
	pid   int32
	start uint64 // clock ticks after boot
}

// older says which of several holders of a socket is its owner: the one that
// started first, of those of one tick the one with the lower pid.
func (k procKey) older(than procKey) bool {
	return k.start < than.start || k.start == than.start && k.pid < than.pid
}

// holder is where descriptors are: a process's table, that of one of its
// threads, or its io_urings.
type holder struct {
	pid, task int32
	by        conn.HeldBy
}

func (f found) holder() holder { return holder{f.pid, f.task, f.by} }

// process is what is known of a process that holds sockets. It does not
// change, but for the marks; a process that renames itself gets another.
type process struct {
	procKey
	holder    holder
	comm      string // of its first thread: the process's name
	cgroup    string
	container Container

	scan  uint32      // the last that saw it; the scanning goroutine's
	asked atomic.Bool // somebody wants to know whether it still lives
	gone  atomic.Bool // it does not
}

// before says which of several holders of a socket is its owner: the oldest
// process; of its tables its own. An io_uring is asked last.
func (p *process) before(than *process) bool {
	if ring := p.holder.by == conn.HeldByIOUring; ring != (than.holder.by == conn.HeldByIOUring) {
		return !ring
	}
	if p.procKey != than.procKey {
		return p.older(than.procKey)
	}
	return cmp.Or(cmp.Compare(p.holder.by, than.holder.by), cmp.Compare(p.holder.task, than.holder.task)) < 0
}

// name names it in an event.
func (p *process) name(e *events.Event) {
	e.Process, e.HeldBy = conn.Process{PID: int(p.pid), Comm: p.comm}, p.holder.by
}

// readProcess reads what is shown of the process that the holder belongs to.
func readProcess(h holder) (*process, error) {
	pid := h.pid
	st, err := readStat(pid)
	if err != nil {
		return nil, err
	}
	p := &process{procKey: procKey{pid, st.start}, holder: h, comm: st.comm}
	// Without it (the process ends just now) the cgroup is unknown.
	if text, err := os.ReadFile("/proc/" + strconv.Itoa(int(pid)) + "/cgroup"); err == nil {
		path := parseProcCgroup(text)
		p.container = ParseContainer(path)
		way, known := above()
		p.cgroup = fromRoot(path, way, known)
	}
	return p, nil
}

// stat is the part of /proc/PID/stat that is used here.
type stat struct {
	comm  string
	state byte // 'Z': its first thread has ended, others may be there
	start uint64
}

func readStat(pid int32) (stat, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(int(pid)) + "/stat")
	if err != nil {
		return stat{}, err
	}
	return parseStat(text)
}

// parseStat reads a line of /proc/PID/stat. The name, in parentheses, may hold
// anything, parentheses included: the last one ends it.
func parseStat(text []byte) (stat, error) {
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("parse stat %q: no name", text)
	}
	const startTime = 22 - 3 // as proc(5) counts the fields, after the name
	fields := bytes.Fields(text[end+1:])
	if len(fields) <= startTime {
		return stat{}, fmt.Errorf("parse stat %q: %d fields", text, len(fields))
	}
	start, err := strconv.ParseUint(string(fields[startTime]), 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("parse stat %q: start time: %w", text, err)
	}
	return stat{comm: string(text[open+1 : end]), state: fields[0][0], start: start}, nil
}

// parseProcCgroup picks one path of /proc/PID/cgroup: that of cgroup v2 if it
// says anything, else of v1, where systemd's own hierarchy (name=systemd) says
// most and any other that is not the root serves. A line that names a
// container wins over all.
func parseProcCgroup(text []byte) string {
	best, rank := "", -1
	for line := range bytes.Lines(text) {
		parts := bytes.SplitN(bytes.TrimSuffix(line, []byte("\n")), []byte(":"), 3)
		if len(parts) != 3 || len(parts[2]) == 0 || parts[2][0] != '/' {
			continue
		}
		path := string(parts[2])
		r := 0
		switch root := path == "/"; {
		case root && string(parts[0]) == "0":
			r = 1
		case root:
		case string(parts[0]) == "0":
			r = 4
		case string(parts[1]) == "name=systemd":
			r = 3
		default:
			r = 2
		}
		if ParseContainer(path).ID != "" {
			r += 4
		}
		if r > rank {
			best, rank = path, r
		}
	}
	return best
}
