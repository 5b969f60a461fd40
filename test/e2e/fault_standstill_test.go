// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bufio"
	"bytes"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"katrace/internal/loader"
	"katrace/test/childtest"
)

// TestFaultStandstill: a katrace whose reader reads nothing for 10 seconds, and
// one that is stopped for as long. What does not fit into their rings is lost
// and counted, each record, and both go on afterwards.
func TestFaultStandstill(t *testing.T) {
	nativeOnly(t)
	l := newLoad(t, 400, true, 127)
	var gate sync.Mutex
	blocked := startBehind(t, &gate, anyBackend(), l.only(), noDrops, "--ring-size=64KiB")
	stopped := startOne(t, l.only(), noDrops, "--ring-size=64KiB")
	l.begin()
	time.Sleep(2500 * time.Millisecond)

	gate.Lock()
	signal(t, stopped.cmd, syscall.SIGSTOP)
	time.Sleep(10 * time.Second)
	before := len(stopped.seen())
	gate.Unlock()
	signal(t, stopped.cmd, syscall.SIGCONT)
	time.Sleep(2500 * time.Millisecond)

	if after := len(stopped.seen()); after <= before {
		t.Errorf("no event after SIGCONT: %d, then %d", before, after)
	}
	counted := l.end()
	for what, r := range map[string]tracer{"blocked": blocked, "stopped": stopped} {
		t.Log(what)
		if got := r.check(l, counted); got.lost.Ring == 0 {
			t.Errorf("%s: nothing lost: this test sees nothing", what)
		}
		evs := r.seen()
		if last := evs[len(evs)-1]; time.Since(last.Time) > 10*time.Second {
			t.Errorf("%s: the last event is of %s", what, last.Time)
		}
	}
}

// startBehind is start with a reader that reads only while it has the gate.
func startBehind(t *testing.T, gate sync.Locker, by loader.Backend, args ...string) tracer {
	t.Helper()
	r := &run{t: t, stderr: &childtest.Buffer{}, done: make(chan struct{})}
	r.cmd = command(append([]string{"-o", "json", "--attach", string(by)}, args...)...)
	r.cmd.Stderr = r.stderr
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.cmd.Process.Kill() })
	go func() {
		defer close(r.done)
		for lines := bufio.NewScanner(out); ; {
			gate.Lock()
			more := lines.Scan()
			gate.Unlock()
			if !more {
				return
			}
			r.take(bytes.Clone(lines.Bytes()))
		}
	}()
	r.attached()
	return tracer{r, by}
}

func signal(t *testing.T, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
