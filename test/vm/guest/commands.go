// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"katrace/test/vm/internal/wire"
)

// runCommand runs one command to its end and kills what it left in its
// process group.
func runCommand(index int, c wire.Command, out *wire.Writer) wire.Exit {
	cmd := exec.Command(c.Args[0], c.Args[1:]...)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdout = stream{out, wire.KindStdout}
	cmd.Stderr = stream{out, wire.KindStderr}
	cmd.SysProcAttr = &unix.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second // a grandchild may hold the pipes open for ever

	start := time.Now()
	err := cmd.Run()
	exit := wire.Exit{Index: index, Seconds: time.Since(start).Seconds()}
	if cmd.Process != nil {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
	}
	var exited *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exited):
		exit.Status = exited.ExitCode()
		if status, ok := exited.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			exit.Status, exit.Error = 128+int(status.Signal()), exited.Error()
		}
	case errors.Is(err, exec.ErrWaitDelay):
		exit.Status, exit.Error = 1, "it ended but left processes that hold its output open"
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrNotExist):
		exit.Status, exit.Error = 127, err.Error()
	default:
		exit.Status, exit.Error = 126, err.Error()
	}
	return exit
}

// stream is a command's output on its way to the host.
type stream struct {
	out  *wire.Writer
	kind wire.Kind
}

func (s stream) Write(p []byte) (int, error) {
	if err := s.out.Bytes(s.kind, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
