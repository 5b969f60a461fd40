// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"os"
	"runtime"
	"strings"
)

// switches are the kernel's own switches that decide what hooks and programs
// can do, "" where one is not there or cannot be read.
type switches struct {
	ftrace   string // kernel.ftrace_enabled: 0 or 1 (kernel/trace/ftrace.c)
	kprobes  string // debugfs kprobes/enabled: 0 or 1 (kernel/kprobes.c)
	jit      string // net.core.bpf_jit_enable: 0, 1 or 2
	lockdown string // "none", "integrity" or "confidentiality"
}

func readSwitches() switches {
	s := switches{
		ftrace:  readLine("/proc/sys/kernel/ftrace_enabled"),
		kprobes: readDebugfs("kprobes/enabled"),
		jit:     readLine("/proc/sys/net/core/bpf_jit_enable"),
	}
	_, rest, _ := strings.Cut(readLine("/sys/kernel/security/lockdown"), "[") // none [integrity] confidentiality
	s.lockdown, _, _ = strings.Cut(rest, "]")
	return s
}

// readLine is a file's text, "" where it cannot be read.
func readLine(name string) string {
	text, err := os.ReadFile(name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// readDebugfs is the text of a file of debugfs, mounted or not.
func readDebugfs(name string) string {
	if text := readLine("/sys/kernel/debug/" + name); text != "" {
		return text
	}
	text, err := readDetached("debugfs", name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// What the switches do, in words, wherever they are named.
const (
	ftraceOff  = "ftrace is switched off: sysctl kernel.ftrace_enabled=1 switches it on"
	kprobesOff = "kprobes are switched off: write 1 to /sys/kernel/debug/kprobes/enabled to switch them on"
	jitOff     = "the BPF JIT compiler is switched off (net.core.bpf_jit_enable is 0): programs are interpreted, which is slower"
	lockedDown = "kernel lockdown (confidentiality) forbids BPF programs to read kernel memory; boot without it"
)

// notes says which of the switches stand in katrace's way.
func (s switches) notes() (notes []string) {
	for _, n := range []struct {
		is   bool
		note string
	}{
		{s.ftrace == "0", ftraceOff},
		{s.kprobes == "0", kprobesOff},
		{s.jit == "0", jitOff},
		{s.lockdown == "confidentiality", lockedDown},
	} {
		if n.is {
			notes = append(notes, n.note)
		}
	}
	return notes
}

// usesFtrace says that the kernel attaches the hook by ftrace: on amd64 kprobes
// at a function's entry, too (CONFIG_KPROBES_ON_FTRACE; arm64 has none).
func (h hook) usesFtrace() bool {
	return h.byTracing() || h.byProbe() && runtime.GOARCH == "amd64"
}

// silenced says why the hook would be attached and never run here, "" where
// nothing known keeps it from running.
func (s switches) silenced(h hook) string {
	switch {
	case h.usesFtrace() && s.ftrace == "0":
		return ftraceOff
	case h.byProbe() && s.kprobes == "0":
		return kprobesOff
	}
	return ""
}

// canFire is an error if any of hs that has to be there would never run. Such
// hooks are not even attached: Linux 6.1 and 6.12, when hooks are attached
// while ftrace is off and again when it is on, warn in ftrace_shutdown and
// refuse all others until they are booted again.
func (s switches) canFire(hs []hook) error {
	for _, h := range hs {
		if why := s.silenced(h); why != "" && h.gives == "" {
			return neverRuns(h, why)
		}
	}
	return nil
}

func neverRuns(h hook, why string) error {
	return &UnsupportedError{Doing: "attach " + h.String(), Err: errors.New("it would never run"), Hint: why}
}

// whySilent is the likely reason why a hook that is attached did not run
// although the kernel ran what it is on.
func (s switches) whySilent(h hook) string {
	if why := s.silenced(h); why != "" {
		return why // switched off since it was attached
	}
	if !h.onFunction() {
		return "this kernel does not run BPF programs for it, or not while certain tasks run"
	}
	why := "the compiler may have inlined the function where it is called (LTO)"
	if h.byProbe() && s.kprobes == "" {
		why += ", or kprobes are switched off (debugfs kprobes/enabled, which cannot be read here)"
	}
	return why
}
