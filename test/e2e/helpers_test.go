// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/lab"
)

// command is katrace, not yet started, that does not outlive the test.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(*program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// unlessHidden fails with what try says is wrong; it tries again only where katrace
// itself reported that the kernel ran no program for something meanwhile.
func unlessHidden(t *testing.T, try func(*testing.T) (wrong []string, lost events.Lost)) {
	t.Helper()
	for round := 1; ; round++ {
		wrong, lost := try(t)
		if len(wrong) == 0 {
			return
		}
		if hidden := lost.Missed + lost.Skipped.Total(); hidden == 0 || round == lab.Stagings {
			t.Error(strings.Join(wrong, "\n"))
			return
		}
		t.Logf("again, for katrace reports as lost %+v: %q", lost, wrong)
	}
}

// self is this process as the kernel names it.
func self(t *testing.T) conn.Process {
	t.Helper()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return conn.Process{PID: os.Getpid(), Comm: strings.TrimSpace(string(comm))}
}
