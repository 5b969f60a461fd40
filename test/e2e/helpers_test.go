// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"katrace/internal/events"
)

// command is katrace, not yet started, that does not outlive the test.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(*program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// self is this process as the kernel names it.
func self(t *testing.T) events.Process {
	t.Helper()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return events.Process{PID: os.Getpid(), Comm: strings.TrimSpace(string(comm))}
}
