// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"errors"
	"fmt"
	"os"
	ossignal "os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/internal/loader"
	"katrace/test/childtest"
)

// TestFilters: what is filtered in the kernel is what was asked for, and all of it.
func TestFilters(t *testing.T) {
	unlessHidden(t, filters)
}

// filters traces three connections, all of them in the lab's own namespaces (for
// other programs have sockets, too), by filters side by side.
func filters(t *testing.T) (wrong []string, lost events.Lost) {
	t.Helper()
	cases, err := lab.ByName("vanished", "ipv6-vanished", "mapped-vanished")
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Start(t.Context(), cases)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	conns := l.Conns()
	v4, v6, mapped := conns[0], conns[1], conns[2]
	all := fmt.Sprintf(" --netns %d,%d,%d", v4.Netns, v6.Netns, mapped.Netns)
	only := func(want ...lab.Conn) func(lab.Conn) bool {
		return func(c lab.Conn) bool { return slices.Contains(want, c) }
	}
	// The kernel chose the ports: the connections may share some.
	local := func(c lab.Conn, ports ...uint16) bool { return slices.Contains(ports, c.Local.Port()) }
	remote := func(c lab.Conn, ports ...uint16) bool { return slices.Contains(ports, c.Remote.Port()) }
	tests := []struct {
		args string
		want func(lab.Conn) bool
	}{
		{fmt.Sprintf("--local-port %d", v4.Local.Port()) + all, func(c lab.Conn) bool { return local(c, v4.Local.Port()) }},
		{"--addr 127.0.0.0/8" + all, only(v4, mapped)},
		{"-6" + all, only(v6)},
		{fmt.Sprintf("--remote-port %d,%d", v4.Remote.Port(), v6.Remote.Port()) + all, func(c lab.Conn) bool {
			return remote(c, v4.Remote.Port(), v6.Remote.Port())
		}},
		{fmt.Sprintf("--port %d --port %d", mapped.Remote.Port(), v6.Local.Port()) + all, func(c lab.Conn) bool {
			ports := []uint16{mapped.Remote.Port(), v6.Local.Port()}
			return local(c, ports...) || remote(c, ports...)
		}},
		{fmt.Sprintf("--netns %d", mapped.Netns), only(mapped)},
		{"--addr ::/0" + all, only(v6)},
		{"-4" + all, only(v4, mapped)},
		{fmt.Sprintf("--dead --netns %d", v4.Netns), only(v4)},
		{fmt.Sprintf("--silent --netns %d", v6.Netns), only(v6)},
		{"--addr 198.51.100.1" + all, only()},
	}
	if emulated() {
		tests = tests[:4] // each katrace takes seconds to start; the others differ in user space
	}
	runs := make([]*run, len(tests))
	for i, test := range tests {
		runs[i] = launch(t, anyBackend(), strings.Fields(test.args)...)
	}
	for _, r := range runs {
		r.attached()
	}
	l.Begin()
	if _, err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, test := range tests {
		told := runs[i].stop()
		lost = lost.Plus(tallyOf(told).lost)
		got := map[conn.ID]map[events.Kind]int{}
		for _, e := range told {
			if e.Kind != events.KindProbe && e.Kind != events.KindReset {
				continue
			}
			if got[e.ID()] == nil {
				got[e.ID()] = map[events.Kind]int{}
			}
			got[e.ID()][e.Kind]++
		}
		probes, resets := 3, 1
		if strings.Contains(test.args, "--dead") {
			probes = 0
		}
		if strings.Contains(test.args, "--silent") {
			probes, resets = 2, 0
		}
		for _, c := range conns {
			if !test.want(c) {
				continue
			}
			if n := got[c.ID]; n[events.KindProbe] != probes || n[events.KindReset] != resets {
				wrong = append(wrong, fmt.Sprintf("%s: %s: %d probes and %d resets, want %d and %d",
					test.args, c.Case, n[events.KindProbe], n[events.KindReset], probes, resets))
			}
			delete(got, c.ID)
		}
		for c, n := range got {
			t.Errorf("%s: %v events of %v, which was not asked for", test.args, n, c)
		}
	}
	return wrong, lost
}

// TestCount: --count ends the stream with status 0 after that many events.
func TestCount(t *testing.T) {
	skipInGuest(t)
	l, conn := stage(t, "vanished")
	r := start(t, "--count", "2", "--netns", fmt.Sprint(conn.Netns))
	go func() {
		l.Begin()
		_, _ = l.Wait(t.Context())
	}()
	r.wait()
	if n := len(ofConns(r.seen())); n != 2 {
		t.Errorf("%d events, want 2", n)
	}
	if len(r.about) != 2 || r.about[0].Kind != events.KindStart || r.about[0].Host == "" || r.about[1].Kind != events.KindStop {
		t.Fatalf("the recording does not say that it begins and ends: %+v", r.about)
	}
	if stop := r.about[1].Tracing; stop.Exit != events.ExitCount || stop.Events != 2 {
		t.Errorf("the recording ends with %+v", stop)
	}
}

// summary is the closing line of a stream: "katrace: 1 event in 2s, nothing lost".
// Other programs' connections count as well.
var summary = regexp.MustCompile(`(?m)^katrace: \d+ events? in `)

// TestDuration: --duration ends it too, and the summary says so.
func TestDuration(t *testing.T) {
	skipInGuest(t)
	_, stderr, status := katrace(t, "--attach", string(anyBackend()), "--duration", "300ms")
	if status != 0 || !summary.MatchString(stderr) {
		t.Errorf("status %d, said %q", status, stderr)
	}
}

// TestSignals: each is a person's "enough", and what was seen is summed up.
func TestSignals(t *testing.T) {
	nativeOnly(t)
	// Under nohup this process ignores SIGHUP, and what it starts would as well.
	ossignal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	defer ossignal.Reset(syscall.SIGHUP)
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		r := start(t, "--dead")
		signal(t, r.cmd, s)
		r.wait()
		if !summary.MatchString(r.stderr.String()) {
			t.Errorf("%v: it said: %s", s, r.stderr)
		}
	}
}

// TestClosedPipe: a reader that goes away ends katrace quietly.
func TestClosedPipe(t *testing.T) {
	skipInGuest(t)
	l, _ := stage(t, "vanished")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	k := launch(t, anyBackend())
	_ = k // a second katrace at the same time is no trouble either
	cmd := command("-o", "text", "--attach", string(anyBackend()))
	cmd.Stdout = w
	stderr := &childtest.Buffer{}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	waitFor(t, 2*time.Minute, "katrace to attach", func() bool { return strings.Contains(stderr.String(), "attached by") })
	_ = r.Close()
	play(t, l)
	if err := cmd.Wait(); err != nil {
		t.Errorf("katrace: %v; it said %s", err, stderr)
	}
	if got := strings.Count(stderr.String(), "\n"); got != 1 {
		t.Errorf("said %q, want the opening line alone", stderr)
	}
}

// TestBlocked: a reader that stands still does not keep katrace from ending,
// and katrace says that something is lost.
func TestBlocked(t *testing.T) {
	skipInGuest(t)
	l, _ := stage(t, "vanished")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	fill(t, w)
	cmd := command("-o", "json", "--attach", string(anyBackend()))
	cmd.Stdout = w
	stderr := &childtest.Buffer{}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 2*time.Minute, "katrace to attach", func() bool { return strings.Contains(stderr.String(), "attached by") })
	play(t, l)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = cmd.Wait() // the status is looked at below
	}()
	select {
	case <-done:
	case <-time.After(3 * time.Minute):
		t.Fatal("katrace does not end")
	}
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "blocked") {
		t.Errorf("status %d, said %q", code, stderr)
	}
}

// fill fills a pipe to the brim.
func fill(t *testing.T, w *os.File) {
	t.Helper()
	fd := int(w.Fd()) // blocking from here on, so that katrace's end is, too
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := syscall.Write(fd, []byte{'\n'}); errors.Is(err, syscall.EAGAIN) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
}

// TestKilled: after kill -9 nothing stays in the kernel.
func TestKilled(t *testing.T) {
	for _, by := range backends() {
		t.Run(string(by), func(t *testing.T) { killed(t, by) })
	}
}

func killed(t *testing.T, by loader.Backend) {
	before := programs(t)
	r := launch(t, by)
	r.attached()
	added := 0
	for id := range programs(t) {
		if before[id] == "" {
			added++
		}
	}
	if added < 4 {
		t.Fatalf("%d programs more while katrace runs: this test sees nothing", added)
	}
	if err := r.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-r.done
	_ = r.cmd.Wait()
	waitFor(t, time.Minute, "the programs to go", func() bool {
		for id, name := range programs(t) {
			if before[id] == "" {
				t.Logf("still there: %s", name)
				return false
			}
		}
		return true
	})
}

// programs lists the BPF programs in the kernel.
func programs(t *testing.T) map[ebpf.ProgramID]string {
	t.Helper()
	found := map[ebpf.ProgramID]string{}
	for id := ebpf.ProgramID(0); ; {
		next, err := ebpf.ProgramGetNextID(id)
		if err != nil {
			return found
		}
		id = next
		prog, err := ebpf.NewProgramFromID(id)
		if err != nil {
			continue // gone meanwhile
		}
		if info, err := prog.Info(); err == nil {
			found[id] = info.Name
		}
		_ = prog.Close()
	}
}
