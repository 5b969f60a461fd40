// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

// Command guest is /init of a test guest. As process 1 it mounts what a Linux
// system has, starts itself again as the worker that runs the plan's commands,
// buries orphans, and powers the machine off when the worker has ended.
package main

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// workerArg marks the second start, the worker's.
const workerArg = "worker"

func main() {
	if len(os.Args) > 1 && os.Args[1] == workerArg {
		if err := work(); err != nil {
			fmt.Fprintln(os.Stderr, "guest:", err)
			os.Exit(1)
		}
		return
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: this is the /init of a test guest, and powers its machine off: it runs as process 1 only")
		os.Exit(2)
	}
	if err := supervise(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
	}
	unix.Sync()
	// Process 1 must not return: that panics the kernel.
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Fprintln(os.Stderr, "guest: power off:", err)
	}
	select {}
}

// supervise runs the worker to its end. It waits for any child, for an orphan
// of a test becomes process 1's child and would stay a zombie.
func supervise() error {
	plan, err := readPlan()
	if err != nil {
		return err
	}
	if err := mountAll(plan.Mounts); err != nil {
		return err
	}
	env := []string{
		"PATH=/bin:/sbin:/usr/bin:/usr/sbin:/",
		"HOME=/root",
		"TMPDIR=/tmp",
		"TERM=dumb",
		"KATRACE_GUEST=1",
	}
	worker, err := syscall.ForkExec("/init", []string{"/init", workerArg}, &syscall.ProcAttr{
		Dir:   "/",
		Env:   env,
		Files: []uintptr{0, 1, 2},
	})
	if err != nil {
		return fmt.Errorf("start the worker: %w", err)
	}
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return fmt.Errorf("wait: %w", err)
		case pid == worker:
			if status.ExitStatus() != 0 {
				return fmt.Errorf("the worker ended with status %#x", uint32(status))
			}
			return nil
		}
	}
}
