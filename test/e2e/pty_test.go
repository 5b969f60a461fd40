// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"katrace/test/childtest"

	"golang.org/x/sys/unix"
)

// onTerminal starts a command on a terminal of its own of that size. What it
// draws goes to the buffer; the file takes keys.
func onTerminal(t *testing.T, cmd *exec.Cmd, columns, rows uint16) (keys *os.File, drawn *childtest.Buffer) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(int(master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slave.Close() }()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	drawn = &childtest.Buffer{}
	go func() {
		b := make([]byte, 64<<10)
		for {
			n, err := master.Read(b)
			_, _ = drawn.Write(b[:n])
			if err != nil {
				return // EIO: nobody has the terminal open any more
			}
		}
	}()
	return master, drawn
}
