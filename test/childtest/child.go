// SPDX-License-Identifier: BSD-2-Clause

// Package childtest runs the processes that tests need beside their own: most
// often the test binary again, which does as its environment says.
package childtest

import (
	"bufio"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// Child is a process that reads and writes pipes of the test's. It is expected
// to end when In is closed.
type Child struct {
	Cmd *exec.Cmd
	In  io.WriteCloser
	Out *bufio.Reader
}

// Start starts cmd, and ends it with the test. In Go programs no garbage is collected:
// it would close the connections that such a process only has to have.
func Start(t testing.TB, cmd *exec.Cmd) *Child {
	t.Helper()
	cmd.Env = append(cmd.Environ(), "GOGC=off")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &Child{cmd, in, bufio.NewReader(out)}
	t.Cleanup(c.End)
	return c
}

// Line is the next line that it writes, without its end.
func (c *Child) Line(t testing.TB) string {
	t.Helper()
	line, err := c.Out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// End closes In and waits for its end. It may be called again.
func (c *Child) End() {
	_ = c.In.Close()
	_ = c.Cmd.Wait()
}
