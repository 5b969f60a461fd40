// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"runtime"
	"strings"
	"testing"
)

// TestCanFire: a backend whose hooks would never run is not attached, and the
// error names the switch; what is not switched off, or cannot be read, does not matter.
func TestCanFire(t *testing.T) {
	amd64 := runtime.GOARCH == "amd64" // arm64's kprobes do not use ftrace
	for _, tt := range []struct {
		s    switches
		b    Backend
		want string
	}{
		{switches{}, Kprobe, ""},
		{switches{}, Fentry, ""},
		{switches{ftrace: "1", kprobes: "1"}, Kprobe, ""},
		{switches{ftrace: "1", kprobes: "1"}, Fentry, ""},
		{switches{kprobes: "0"}, Kprobe, kprobesOff},
		{switches{kprobes: "0"}, Fentry, ""},
		{switches{kprobes: "0", ftrace: "0"}, Fentry, ftraceOff},
		{switches{kprobes: "0", ftrace: "0"}, Tracepoint, ""},
		{switches{kprobes: "1", ftrace: "0"}, Kprobe, map[bool]string{true: ftraceOff}[amd64]},
	} {
		err := tt.s.canFire(hooksOf(tt.b, &Options{}))
		if (err == nil) != (tt.want == "") || err != nil && (!errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s, %+v: %v, want %q", tt.b, tt.s, err, tt.want)
		}
	}
}

// TestCanFireOptional: a hook that may lack keeps no backend from being used.
func TestCanFireOptional(t *testing.T) {
	s := switches{ftrace: "0", kprobes: "0"}
	optional := hook{at: "tcp_set_keepalive", how: byFentry, gives: givesEnabled}
	if s.silenced(optional) == "" {
		t.Error("it would run: this test shows nothing")
	}
	if err := s.canFire([]hook{optional}); err != nil {
		t.Errorf("%v, want nothing", err)
	}
}

func TestSwitchNotes(t *testing.T) {
	if got := (switches{ftrace: "1", kprobes: "1", jit: "1", lockdown: "integrity"}).notes(); len(got) > 0 {
		t.Errorf("all is well, and it notes %q", got)
	}
	got := strings.Join((switches{ftrace: "0", kprobes: "0", jit: "0", lockdown: "confidentiality"}).notes(), "\n")
	for _, want := range []string{"kernel.ftrace_enabled", "kprobes/enabled", "net.core.bpf_jit_enable", "lockdown"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among %q", want, got)
		}
	}
}

// TestWhySilent: what was switched off is named, else what the hook is on says it.
func TestWhySilent(t *testing.T) {
	kprobe, fentry := hook{at: "tcp_write_wakeup", how: byKprobe}, hook{at: "tcp_write_wakeup", how: byFentry}
	for _, tt := range []struct {
		s    switches
		h    hook
		want string
		not  string
	}{
		{switches{kprobes: "0"}, kprobe, kprobesOff, "LTO"},
		{switches{ftrace: "0"}, fentry, ftraceOff, "LTO"},
		{switches{kprobes: "1"}, kprobe, "LTO", "debugfs"},
		{switches{}, kprobe, "debugfs kprobes/enabled, which cannot be read here", "fentry"},
		{switches{}, fentry, "LTO", "debugfs"},
		{switches{}, hook{at: "tcp_probe", how: byRawTracepoint}, "does not run BPF programs for it", "LTO"},
	} {
		if got := tt.s.whySilent(tt.h); !strings.Contains(got, tt.want) || strings.Contains(got, tt.not) {
			t.Errorf("%s, %+v: %q, want %q and not %q", tt.h, tt.s, got, tt.want, tt.not)
		}
	}
}
