// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"os"
	"strings"

	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Report is what this kernel and these privileges allow, found by trying.
type Report struct {
	Kernel       string // uname -r
	Machine      string // uname -m
	Capabilities []Capability
	Lockdown     string // "none", "integrity", "confidentiality"; "" where the kernel has none
	BTF          error  // nil: readable
	Backends     []BackendReport
	Chosen       Backend // "": none
}

// BackendReport is one backend's hooks.
type BackendReport struct {
	Backend Backend
	Usable  bool     // every hook that has to be there can be attached
	Lacks   []string // what it cannot know here, in words
	Hooks   []HookReport
}

// HookReport is one hook, tried by itself.
type HookReport struct {
	Name     string // "kprobe tcp_write_wakeup"
	Optional string // what is not known without it; "": it has to be there
	Err      error  // nil: it can be attached
	Why      string // the likely reason for Err, in words, and what to do about it
}

// Examine tries everything that Open would, each hook by itself and those of
// the first backend that can be had together, and detaches it again.
func Examine(o Options) Report {
	_ = rlimit.RemoveMemlock()
	var uts unix.Utsname
	_ = unix.Uname(&uts) // fails only for a bad address
	r := Report{
		Kernel:       unix.ByteSliceToString(uts.Release[:]),
		Machine:      unix.ByteSliceToString(uts.Machine[:]),
		Capabilities: capabilities(),
		Lockdown:     lockdown(),
	}
	types, err := kernelTypes(o.BTF)
	if r.BTF = err; err != nil {
		return r
	}
	plain := o
	o.All, o.ExactRTT = true, true
	shared := map[string]error{}
	for _, b := range Backends() {
		br := examineBackend(b, &o, types, shared)
		if br.Usable && r.Chosen == "" {
			// Each hook was tried with maps as small as can be.
			if t, err := open(b, &plain, types); err != nil {
				br.Usable = false
				br.Hooks = append(br.Hooks, HookReport{Name: "all at once, with maps of full size", Err: err})
			} else {
				t.Close()
				r.Chosen = b
			}
		}
		r.Backends = append(r.Backends, br)
	}
	return r
}

// examineBackend tries b's hooks. tried holds what came of those that other
// backends have as well.
func examineBackend(b Backend, o *Options, types *btf.Spec, tried map[string]error) BackendReport {
	r := BackendReport{Backend: b, Usable: true, Lacks: b.Lacks()}
	for _, h := range hooksOf(b, o) {
		err, known := tried[h.prog]
		if !known {
			err = tryHook(b, o, h, types)
			tried[h.prog] = err
		}
		if err != nil && h.instead != nil {
			h = *h.instead
			err = tryHook(b, o, h, types)
		}
		hr := HookReport{Name: h.String(), Optional: h.gives, Err: err}
		if hr.Err != nil {
			hr.Why = whyNot(h, hr.Err)
			switch {
			case h.gives != "":
				r.Lacks = append(r.Lacks, h.gives)
			case h.onlyIf == nil:
				r.Usable = false
			}
		}
		r.Hooks = append(r.Hooks, hr)
	}
	return r
}

// tryHook loads and attaches a single hook, and takes it away.
func tryHook(b Backend, o *Options, h hook, types *btf.Spec) error {
	if h.onFunction() {
		var fn *btf.Func
		if err := types.TypeByName(h.at, &fn); err != nil {
			return unsupported("find "+h.at+" in the kernel's BTF", err, "")
		}
	}
	small := *o
	small.trial = true
	coll, _, err := load(b, &small, []hook{h}, types)
	if err != nil {
		return err
	}
	defer coll.Close()
	l, err := h.attach(coll.Programs[h.prog])
	if err != nil {
		return err
	}
	return l.Close()
}

// whyNot says why a hook cannot be attached, as far as the system tells.
func whyNot(h hook, err error) string {
	locked := lockdown() == "confidentiality"
	switch {
	case locked:
		return "kernel lockdown (confidentiality) forbids reading kernel memory by BPF; boot without it"
	case h.refusal(err) != "":
		return "not enough privileges: " + h.refusal(err)
	case isPermission(err) && (missing() != 0 || os.Geteuid() != 0):
		return "not enough privileges: " + permissionHint()
	case h.how == byKprobe || h.how == byKretprobe:
		if _, err := os.Stat(kprobePMU); err != nil {
			return "this kernel has no kprobes (CONFIG_KPROBES, CONFIG_KPROBE_EVENTS)"
		}
		if blacklisted(h.at) {
			return "the function is on the kernel's kprobe blacklist"
		}
	case h.how == byFentry || h.how == byFexit:
		return "this kernel has no fentry for it (CONFIG_FUNCTION_TRACER with direct calls, from 5.5; arm64 from 6.0) or does not allow it"
	}
	if h.onFunction() {
		if _, err := functionAddress(h.at); err != nil {
			return "the kernel has no such function: it is inlined or not built in"
		}
	}
	return ""
}

// kprobePMU is there where the kernel has kprobes for perf and BPF.
const kprobePMU = "/sys/bus/event_source/devices/kprobe"

// blacklisted says whether kprobes on the function are forbidden, where debugfs tells.
func blacklisted(function string) bool {
	data, err := os.ReadFile("/sys/kernel/debug/kprobes/blacklist")
	return err == nil && strings.Contains(string(data), "\t"+function+"\n")
}

// lockdown is the kernel's lockdown mode, "" where it has none.
func lockdown() string {
	data, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(data), "[")
	mode, _, _ := strings.Cut(rest, "]")
	return mode
}
