// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/inventory"
	"katrace/test/hostile"
)

// logged applies want to the sockets, and returns what the undo file then holds.
func logged(t *testing.T, want Values, sockets []inventory.Socket) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "undo.json")
	log, err := CreateLog(path)
	must(t, err)
	r := request(t, want)
	r.Log = log
	results, err := r.Do(t.Context(), sockets)
	must(t, err)
	for _, res := range results {
		res.want(t, Changed, "")
	}
	must(t, log.Close())
	text, err := os.ReadFile(path)
	must(t, err)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if _, err := CreateLog(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("the file of another run: %v", err)
	}
	return string(text)
}

func undo(t *testing.T, text string, apply bool, sockets []inventory.Socket) []*Result {
	t.Helper()
	entries, _, err := ReadLog(strings.NewReader(text))
	must(t, err)
	r := request(t, Values{})
	r.Apply = apply
	results, err := r.Undo(t.Context(), entries, sockets)
	must(t, err)
	return results
}

// TestUndo: the old values come back, on that socket and on no other; twice is
// once; and of two changes the file's end is undone first.
func TestUndo(t *testing.T) {
	p, other := connect(t), connect(t)
	before := values(t, p.ours)
	text := logged(t, minute, one(t, p))
	two := logged(t, Values{Known: Idle | Count, Idle: 30 * time.Second, Count: 3}, one(t, p))
	sockets := list(t, inventory.Auto, p, other)
	dry := undo(t, text+two, false, sockets)
	if len(dry) != 2 || dry[1].Outcome != WouldChange {
		t.Fatalf("a dry run: %+v", dry)
	}
	if values(t, p.ours).Idle != 30*time.Second {
		t.Error("a dry run changed it")
	}
	for _, res := range undo(t, text+two, true, sockets) {
		res.want(t, Changed, "")
	}
	if now := values(t, p.ours); now != before {
		t.Errorf("now %+v, before %+v", now, before)
	}
	if now := values(t, other.ours); now != before {
		t.Errorf("another socket was changed: %+v", now)
	}
	undo(t, text, true, sockets)[0].want(t, AsWanted, "")
}

// TestUndoLeaves: what somebody else has set since is left, whole; and so is a
// socket that is another one by now.
func TestUndoLeaves(t *testing.T) {
	p := connect(t)
	text := logged(t, minute, one(t, p))
	must(t, unix.SetsockoptInt(p.ours, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4))
	now := values(t, p.ours)
	undo(t, text, true, one(t, p))[0].want(t, Failed, "changed by somebody else since: cnt")
	sockets := one(t, p)
	inode, cookie := fmt.Sprintf(`"inode":%d,`, sockets[0].Inode), `"cookie":`
	undo(t, strings.Replace(text, cookie, cookie+"1", 1), true, sockets)[0].want(t, Closed, "")
	undo(t, strings.Replace(text, inode, `"inode":7,`, 1), true, sockets)[0].want(t, Closed, "")
	if values(t, p.ours) != now {
		t.Error("it was changed")
	}
}

// TestUndoOfSysctl: a value that setsockopt does not take, as a sysctl may be, is refused before anything is changed.
func TestUndoOfSysctl(t *testing.T) {
	p := connect(t)
	was := fmt.Sprintf(`"before":{"on":false,"idle_ms":%d,`, values(t, p.ours).Idle.Milliseconds())
	text := logged(t, minute, one(t, p))
	now := values(t, p.ours)
	text = strings.Replace(text, was, `"before":{"on":false,"idle_ms":100000000,`, 1)
	undo(t, text, true, one(t, p))[0].want(t, Failed, "setsockopt takes no such value, a sysctl may: idle")
	if values(t, p.ours) != now {
		t.Error("it was changed in part")
	}
}

// TestUndoSources: that a value was the sysctl's is kept where the kernel tells it.
func TestUndoSources(t *testing.T) {
	p := connect(t)
	must(t, unix.SetsockoptInt(p.ours, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 4))
	l, err := inventory.Snapshot(t.Context(), inventory.Options{Method: inventory.BPF, Filter: conn.SocketFilter{LocalPorts: []uint16{p.port}, RemotePorts: []uint16{portOf(t, p.listener)}}})
	if err != nil {
		t.Skip(err) // by netlink it is not known
	}
	text := logged(t, minute, l.Sockets)
	if !strings.Contains(text, `"inherited":["idle","intvl"]`) {
		t.Errorf("the file: %s", text)
	}
	res := undo(t, text, true, one(t, p))[0]
	res.want(t, Changed, "")
	if res.Sourced != conn.SettingIdle|conn.SettingInterval {
		t.Errorf("sourced %v", res.Sourced)
	}
	// The kernel has no way back: the values are the socket's own.
	if own := one(t, p)[0].Keepalive; own.Inherited != 0 {
		t.Errorf("inherited after the undo: %v", own.Inherited)
	}
	if err := unix.SetsockoptInt(p.ours, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 0); !errors.Is(err, unix.EINVAL) {
		t.Errorf("TCP_KEEPIDLE 0: %v, want EINVAL", err)
	}
}

// TestSources: both methods report that values were, or may have been, a sysctl's,
// which setting them takes away for good.
func TestSources(t *testing.T) {
	for _, method := range []inventory.Method{inventory.BPF, inventory.Netlink} {
		p := connect(t)
		filter := conn.SocketFilter{LocalPorts: []uint16{p.port}, RemotePorts: []uint16{portOf(t, p.listener)}}
		l, err := inventory.Snapshot(t.Context(), inventory.Options{Method: method, Filter: filter})
		if err != nil {
			t.Logf("%s: %v", method, err) // not on this kernel
			continue
		}
		for _, tt := range []struct {
			want Values
			said bool
		}{{minute.Only(Idle), true}, {minute.Only(UserTimeout), false}, {minute.Only(On), false}} {
			r := request(t, tt.want)
			r.Apply = false
			lines := strings.Join(Sum([]*Result{r.doOne(t, l.Sockets)}).Lines(false, false), "\n")
			if said := strings.Contains(lines, "a sysctl's"); said != tt.said {
				t.Errorf("%s, %v: reports a sysctl %t, want %t:\n%s", method, tt.want.Known.Names(), said, tt.said, lines)
			}
		}
	}
}

// TestNoChangeWithoutOldValues: a disk that is full stops before the change.
func TestNoChangeWithoutOldValues(t *testing.T) {
	p := connect(t)
	before := values(t, p.ours)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	must(t, err)
	r := request(t, minute)
	r.Log = &Log{file: full, wrote: true}
	results, err := r.Do(t.Context(), one(t, p))
	if !errors.Is(err, unix.ENOSPC) || results[0].Outcome != Failed {
		t.Errorf("%v, %s", err, results[0].Outcome)
	}
	must(t, full.Close())
	if values(t, p.ours) != before {
		t.Error("it was changed")
	}
}

// TestUndoOfInterrupted: a run that is interrupted between two sockets leaves a file
// of those that it changed, by which they are put back; what is told is the same.
func TestUndoOfInterrupted(t *testing.T) {
	pairs := []*pair{connect(t), connect(t), connect(t)}
	before := values(t, pairs[0].ours)
	path := filepath.Join(t.TempDir(), "undo.json")
	log, err := CreateLog(path)
	must(t, err)
	ctx, interrupt := context.WithCancel(t.Context())
	r := request(t, minute)
	r.Log = log
	var told []*Result
	r.Told = func(res *Result) error {
		if told = append(told, res); len(told) == 2 {
			interrupt()
		}
		return nil
	}
	sockets := list(t, inventory.Auto, pairs...)
	results, err := r.Do(ctx, sockets)
	if !errors.Is(err, context.Canceled) || len(results) != 3 {
		t.Fatalf("%v, %d results", err, len(results))
	}
	must(t, log.Close())
	changed := 0
	for _, p := range pairs {
		if now := values(t, p.ours); now == minute {
			changed++
		} else if now != before {
			t.Errorf("changed in part: %+v", now)
		}
	}
	if s := Sum(results); changed != 2 || s.Changed != 2 || s.Failed != 1 || len(told) != 2 {
		t.Errorf("%d changed, %+v, %d told", changed, s, len(told))
	}
	text, err := os.ReadFile(path)
	must(t, err)
	for _, res := range undo(t, string(text), true, list(t, inventory.Auto, pairs...)) {
		res.want(t, Changed, "")
	}
	for _, p := range pairs {
		if now := values(t, p.ours); now != before {
			t.Errorf("after the undo: %+v", now)
		}
	}
}

// TestNotTold: where what was set cannot be told to the log file, nothing more is set,
// and the socket that was set is in the undo file.
func TestNotTold(t *testing.T) {
	pairs := []*pair{connect(t), connect(t)}
	path := filepath.Join(t.TempDir(), "undo.json")
	log, err := CreateLog(path)
	must(t, err)
	r := request(t, minute)
	r.Log, r.Told = log, func(*Result) error { return unix.ENOSPC }
	results, err := r.Do(t.Context(), list(t, inventory.Auto, pairs...))
	must(t, log.Close())
	if s := Sum(results); !errors.Is(err, unix.ENOSPC) || s.Changed != 1 || s.Failed != 1 {
		t.Errorf("%v, %+v", err, s)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != 1 {
		t.Errorf("%v: %s", err, text)
	}
}

// TestNoEmptyUndoFile: one in which the disk took nothing does not stay.
func TestNoEmptyUndoFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "undo")
	l, err := CreateLog(path)
	must(t, err)
	must(t, l.file.Close()) // no write is taken
	if err := l.write(&target{Result: &Result{Socket: &inventory.Socket{}}}, 1); err == nil {
		t.Error("written to a closed file")
	}
	_ = l.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
}

// TestFullDisk: what was changed before the disk was full is put back, although the
// file's last line is cut off.
func TestFullDisk(t *testing.T) {
	p := connect(t)
	before := values(t, p.ours)
	dir := t.TempDir()
	must(t, unix.Mount("katrace", dir, "tmpfs", 0, "size=4k"))
	defer func() { must(t, unix.Unmount(dir, 0)) }()
	path := filepath.Join(dir, "undo.json")
	log, err := CreateLog(path)
	must(t, err)
	changed := 0
	for err == nil && changed < 1000 {
		r := request(t, Values{Known: Idle, Idle: time.Minute + time.Duration(changed%2)*time.Second})
		r.Log = log
		if _, err = r.Do(t.Context(), one(t, p)); err == nil {
			changed++
		}
	}
	if !errors.Is(err, unix.ENOSPC) || changed == 0 {
		t.Fatalf("%d changes, then %v; want ENOSPC", changed, err)
	}
	must(t, log.Close())
	text, err := os.ReadFile(path)
	must(t, err)
	entries, cut, err := ReadLog(bytes.NewReader(text))
	if err != nil || len(entries) != changed || cut == bytes.HasSuffix(text, []byte("\n")) {
		t.Fatalf("%d entries of %d, cut %t, %v", len(entries), changed, cut, err)
	}
	for _, res := range undo(t, string(text), true, one(t, p)) {
		res.want(t, Changed, "")
	}
	if values(t, p.ours) != before {
		t.Errorf("now %+v, before %+v", values(t, p.ours), before)
	}
}

// TestUndoUnseen: a socket of a network namespace that could not be looked into is not
// said to be closed.
func TestUndoUnseen(t *testing.T) {
	p := connect(t)
	entries, _, err := ReadLog(strings.NewReader(logged(t, minute, one(t, p))))
	must(t, err)
	for unseen, want := range map[bool]Outcome{false: Closed, true: Failed} {
		r := request(t, Values{})
		r.Unseen = func(netns uint32) bool { return unseen && netns == entries[0].state.Netns }
		results, err := r.Undo(t.Context(), entries, nil)
		must(t, err)
		if got := results[0]; got.Outcome != want || unseen != strings.HasPrefix(got.Reason, "its network namespace is gone, or its processes are hidden (") {
			t.Errorf("unseen %t: %s %q", unseen, got.Outcome, got.Reason)
		}
		if sum := Sum(results); unseen && sum.Refused != 1 {
			t.Errorf("%+v: not for want of privileges", sum)
		}
	}
}

// TestEmptyLog: a run that changes nothing leaves no file.
func TestEmptyLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "undo.json")
	log, err := CreateLog(path)
	must(t, err)
	must(t, log.Close())
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there: %v", err)
	}
}

// TestDamagedLog: a damaged file changes nothing, and the line is named.
func TestDamagedLog(t *testing.T) {
	p := connect(t)
	good := logged(t, minute, one(t, p))
	boot, err := bootID()
	must(t, err)
	for _, tt := range []struct{ text, want string }{
		{"{}\n", "line 1: it is no line of an undo file"},
		{"", "it is empty"},
		{good + good[:len(good)/2] + "\n" + good, "line 2: it is no line of an undo file: "},
		{strings.Replace(good, boot, "another", 1), "line 1: it was written before the last boot"},
		{strings.Replace(good, `"on":false,`, `"on":null,`, 1), "line 1: it does not say what was changed"},
		{strings.Replace(good, `"idle_ms":60000`, `"idle_ms":9223372036854775807`, 1), "want a time in milliseconds"},
		{strings.Replace(good, `"v":1`, `"v":2`, 1), "line 1: it is no line of an undo file"},
	} {
		if entries, _, err := ReadLog(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%d entries, error %v, want %q; of %s", len(entries), err, tt.want, tt.text)
		}
	}
}

// TestHostileNames: whatever a process calls itself, the undo file can be read
// again, and neither it nor the outputs do anything to a terminal.
func TestHostileNames(t *testing.T) {
	p := connect(t)
	sockets := one(t, p)
	for _, name := range hostile.Names {
		sockets[0].Process.Comm, sockets[0].Container, sockets[0].Cgroup = name, name, name
		text := logged(t, minute, sockets)
		hostile.CheckPrinting(t, []byte(strings.TrimSuffix(text, "\n")))
		res := undo(t, text, true, sockets)[0]
		res.want(t, Changed, "")
		res.Reason = name
		res.Outcome = Failed
		hostile.CheckPrinting(t, res.AppendJSON(nil, time.Now()))
		for _, cell := range res.row() {
			hostile.CheckPrinting(t, []byte(cell))
		}
	}
}
