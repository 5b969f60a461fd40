// SPDX-License-Identifier: BSD-2-Clause

//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"katrace/test/vm/internal/wire"
)

// work carries the plan out and tells the host about it.
func work() error {
	plan, err := readPlan()
	if err != nil {
		return err
	}
	problems, notes := loadModules(plan.Modules)
	for _, line := range append(problems, notes...) {
		fmt.Fprintln(os.Stderr, "guest:", line) // where the port's own driver is missing, the console is all there is
	}
	f, err := openPort()
	if err != nil {
		return err
	}
	out := wire.NewWriter(f)
	log, err := openKernelLog(out)
	if err != nil {
		return err
	}

	problems = append(problems, prepare(plan.Without)...)
	problems = append(problems, applySettings(plan.Settings)...)
	closeMemory := func() {}
	if plan.Memory {
		server, err := serveMemory(f, out)
		if err != nil {
			return err
		}
		closeMemory = server.close
	}
	if err := out.JSON(wire.KindHello, wire.Hello{
		Release:  release(),
		Uptime:   uptime(),
		Problems: problems,
		Notes:    notes,
	}); err != nil {
		return err
	}
	for i, c := range plan.Commands {
		if len(problems) > 0 {
			break
		}
		if err := out.JSON(wire.KindStart, wire.Start{Index: i}); err != nil {
			return err
		}
		stop := forwardLog(log)
		exit := runCommand(i, c, out)
		if err := stop(); err != nil {
			return err
		}
		if err := out.JSON(wire.KindExit, exit); err != nil {
			return err
		}
	}
	if err := log.forward(); err != nil {
		return err
	}
	closeMemory()
	if err := out.JSON(wire.KindDone, wire.Done{Tainted: tainted()}); err != nil {
		return err
	}
	f.awaitByte(10 * time.Second)
	return nil
}

func readPlan() (plan wire.Plan, err error) {
	text, err := os.ReadFile(wire.PlanPath)
	if err != nil {
		return plan, err
	}
	if err := json.Unmarshal(text, &plan); err != nil {
		return plan, fmt.Errorf("%s: %w", wire.PlanPath, err)
	}
	return plan, nil
}

// forwardLog forwards the kernel's log until stop is called, which forwards
// the rest.
func forwardLog(log *kernelLog) (stop func() error) {
	quit, done := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			if err := log.forward(); err != nil {
				done <- err
				return
			}
			select {
			case <-tick.C:
			case <-quit:
				done <- log.forward()
				return
			}
		}
	}()
	return func() error {
		close(quit)
		return <-done
	}
}

func release() string {
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		return err.Error()
	}
	return unix.ByteSliceToString(u.Release[:])
}

// uptime is the time since the kernel started, in seconds.
func uptime() float64 {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return float64(t.Nano()) / 1e9
}

// tainted is the kernel's mask of taints; 0 where it cannot be read.
func tainted() uint64 {
	text, err := os.ReadFile("/proc/sys/kernel/tainted")
	if err != nil {
		return 0
	}
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	return n
}
