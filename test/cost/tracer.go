// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// variant is a way to run a tracer, or the run without one.
type variant struct {
	name  string
	argv  []string // empty: no tracer
	ready string   // it says so when it is attached
	event string   // an event's name in its output, %s
	all   bool     // firings that send nothing make events as well
	exact bool     // answers are events at once
	// inside: not what the work takes more, but the time inside the tracer's
	// programs, by the kernel's statistics. It leaves out what it takes to
	// call them, and the waking of the tracer.
	inside bool
}

// tracer is a variant at work. Its output goes to files, as a user's would.
type tracer struct {
	cmd      *exec.Cmd
	dir      string
	out, say *os.File
	counted  int64  // bytes of out
	alone    bool   // it has processors of its own
	netns    []byte // in the lines that are about our namespace
	variant  variant
}

// start returns when the tracer has attached. Without a tracer it is nil,
// whose methods do nothing.
func start(v variant, cpus *unix.CPUSet) (t *tracer, err error) {
	if len(v.argv) == 0 {
		return nil, nil
	}
	t = &tracer{variant: v, alone: cpus != nil}
	var ns unix.Stat_t
	if err = unix.Stat("/proc/thread-self/ns/net", &ns); err != nil {
		return t, err
	}
	t.netns = strconv.AppendUint(nil, ns.Ino, 10)
	defer func() {
		if err != nil {
			t.stop()
		}
	}()
	if t.dir, err = os.MkdirTemp("", "katrace-cost-*"); err != nil {
		return t, err
	}
	if t.out, err = os.Create(t.dir + "/out"); err != nil {
		return t, err
	}
	if t.say, err = os.Create(t.dir + "/err"); err != nil {
		return t, err
	}
	t.cmd = exec.Command(v.argv[0], v.argv[1:]...)
	t.cmd.Stdout, t.cmd.Stderr = t.out, t.say
	// The signal comes when this thread ends, and it is locked to its goroutine.
	t.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := t.cmd.Start(); err != nil {
		t.cmd = nil
		return t, err
	}
	if t.alone {
		// As early as can be: its threads inherit it.
		if err := unix.SchedSetaffinity(t.cmd.Process.Pid, cpus); err != nil {
			return t, fmt.Errorf("give %s another processor: %w", v.name, err)
		}
	}
	for range 600 {
		time.Sleep(50 * time.Millisecond)
		text, err := os.ReadFile(t.dir + "/err")
		if err != nil {
			return t, err
		}
		out, err := os.ReadFile(t.dir + "/out")
		if err != nil {
			return t, err
		}
		if bytes.Contains(text, []byte(v.ready)) || bytes.Contains(out, []byte(v.ready)) {
			return t, nil
		}
		if err := syscall.Kill(t.cmd.Process.Pid, 0); err != nil || t.ended() {
			return t, fmt.Errorf("it ended: %s", bytes.TrimSpace(text))
		}
	}
	return t, fmt.Errorf("not attached within 30 s")
}

// ended: is it a zombie?
func (t *tracer) ended() bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.cmd.Process.Pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// hold keeps the tracer's user space off the one processor while something is
// measured; the ring buffer holds what comes. With processors of its own it
// goes on, and so the cost of waking it is in what is measured.
func (t *tracer) hold() (resume func()) {
	if t == nil || t.alone {
		return func() {}
	}
	_ = t.cmd.Process.Signal(syscall.SIGSTOP)
	time.Sleep(5 * time.Millisecond) // each of its threads runs once more, to stop
	return func() { _ = t.cmd.Process.Signal(syscall.SIGCONT) }
}

// count waits until n events of a name in our namespace have come since it was last asked, and
// then, or when no more come, returns how many they were.
func (t *tracer) count(name string, n int) (int, error) {
	if t == nil {
		return n, nil
	}
	want := fmt.Appendf(nil, t.variant.event, name)
	found := 0
	for still := 0; still < 5; {
		text, err := t.news()
		if err != nil {
			return 0, err
		}
		if len(text) == 0 {
			if found >= n {
				break
			}
			still++
			time.Sleep(60 * time.Millisecond)
			continue
		}
		still = 0
		for line := range bytes.Lines(text) {
			if bytes.Contains(line, want) && bytes.Contains(line, t.netns) {
				found++
			}
		}
	}
	return found, nil
}

// news is what came to its output since it was last asked, in whole lines.
func (t *tracer) news() ([]byte, error) {
	if t == nil {
		return nil, nil
	}
	st, err := t.out.Stat()
	if err != nil {
		return nil, err
	}
	text := make([]byte, st.Size()-t.counted)
	n, err := t.out.ReadAt(text, t.counted)
	if n < len(text) {
		return nil, fmt.Errorf("read its output: %w", err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1]
	t.counted += int64(len(text))
	return text, nil
}

// stop ends it, gently, and removes its files.
func (t *tracer) stop() {
	if t == nil {
		return
	}
	if t.cmd != nil {
		_ = t.cmd.Process.Signal(syscall.SIGINT)
		kill := time.AfterFunc(10*time.Second, func() { _ = t.cmd.Process.Kill() })
		_ = t.cmd.Wait()
		kill.Stop()
	}
	for _, f := range []*os.File{t.out, t.say} {
		if f != nil {
			_ = f.Close()
		}
	}
	if t.dir != "" {
		_ = os.RemoveAll(t.dir)
	}
}
