// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// diskCommand boots a Debian kernel with a disk that holds a whole system, such
// as one with systemd as its first process. The system's console is the output.
// It has to power off by itself: what it has to say stands on its console, or on
// its disk.
func diskCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("disk", flag.ContinueOnError)
	kernelName := flags.String("kernel", "newest", "one of "+seriesNames())
	disk := flags.String("disk", "", "`file` with the system, an ext4 file system; it is written to")
	mem := flags.Int("mem", 1024, "the guest's memory, MiB")
	timeout := flags.Duration("timeout", 10*time.Minute, "from power-on to power-off")
	if err := parse(flags, args); err != nil {
		return err
	}
	if _, err := os.Stat(*disk); err != nil {
		return fmt.Errorf("-disk: %w", err)
	}
	t, err := parseTarget(*kernelName)
	if err != nil {
		return err
	}
	st, err := openStore(ctx, false, []target{t})
	if err != nil {
		return err
	}
	k, err := st.get(ctx, t, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, *timeout, fmt.Errorf("the guest did not power off within %v", *timeout))
	defer cancel()
	// One processor: they would share one thread (machineArgs), and where one waits for the
	// other, as each change of code does, it would wait by running.
	m := machine{arch: t.arch, memMiB: *mem, cpus: 1}
	boot := func() error { return bootDisk(ctx, qemuBinary(t.arch), diskArgs(m, k.vmlinuz(), *disk)) }
	if err = boot(); errors.Is(err, errNoLife) { // the disk was not touched: see guest.run
		fmt.Fprintf(os.Stderr, "WARNING: %s: %v: booting it a second time\n", k, err)
		err = boot()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", k, err)
	}
	return nil
}

// bootDisk runs the emulator to its end.
func bootDisk(ctx context.Context, name string, args []string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var console consoleLog
	life := time.AfterFunc(lifeTimeout, func() {
		if !console.kernelSpoke() {
			cancel(errNoLife)
		}
	})
	defer life.Stop()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout = writers{os.Stdout, &console}
	cmd.Stderr = cmd.Stdout
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}
