// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bufio"
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestFaultStandstill: a katrace whose reader reads nothing for 10 seconds, and
// one that is stopped for as long. What does not fit into their rings is lost
// and counted, each record, and both go on afterwards.
func TestFaultStandstill(t *testing.T) {
	if !emulated() {
		t.Parallel()
	}
	exactly(t, func() string {
		l := newLoad(t, 400, true, 127)
		defer l.close()
		var gate sync.Mutex
		blocked := startBehind(t, &gate, l.only(), "--ring-size=64KiB")
		stopped := start(t, l.only(), "--ring-size=64KiB")
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
		why := ""
		for what, r := range map[string]*run{"blocked": blocked, "stopped": stopped} {
			evs := r.stop()
			got := tallyOf(evs)
			t.Logf("%s: the kernel counts %d probes; %+v; %s", what, counted, got, lastLine(r.stderr.String()))
			if got.lost.Ring == 0 {
				t.Errorf("%s: nothing lost: this test sees nothing", what)
			}
			if last := evs[len(evs)-1]; time.Since(last.Time) > 10*time.Second {
				t.Errorf("%s: the last event is of %s", what, last.Time)
			}
			if got.all() != counted {
				why += fmt.Sprintf("%s: %+v is %d probes, the kernel counts %d; ", what, got, got.all(), counted)
			}
		}
		return why
	})
}

// startBehind is start with a reader that reads only while it has the gate.
func startBehind(t *testing.T, gate sync.Locker, args ...string) *run {
	t.Helper()
	r := &run{t: t, stderr: &lockedBuffer{}, done: make(chan struct{})}
	r.cmd = command(append([]string{"-o", "json", "--attach", *backend}, args...)...)
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
	waitFor(t, 2*time.Minute, "katrace to attach", func() bool { return strings.Contains(r.stderr.String(), "attached by") })
	return r
}

func signal(t *testing.T, cmd *exec.Cmd, s syscall.Signal) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}
