// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"slices"

	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Report is what this kernel and these privileges allow, found by trying.
type Report struct {
	Kernel       string // uname -r
	Machine      string // uname -m
	Capabilities []Capability
	Lockdown     string   // "none", "integrity", "confidentiality"; "" where the kernel has none
	Notes        []string // the kernel's switches that stand in the way, in words
	BTF          error    // nil: readable
	Backends     []BackendReport
	Chosen       Backend // "": none
	Missed       uint64  // firings during the self-test that no program told of
	Unwitnessed  error   // why Missed is not known; nil: it is, or there was no self-test
}

// BackendReport is one backend's hooks.
type BackendReport struct {
	Backend Backend
	Usable  bool     // every hook that has to be there can be attached, and is not known to stay silent
	Lacks   []string // what it cannot know here, in words
	Hooks   []HookReport
}

// HookReport is one hook, tried by itself and then beside all others.
type HookReport struct {
	Name     string // "kprobe tcp_write_wakeup"
	Optional string // what is not known without it; "": it has to be there
	Err      error  // nil: it can be attached
	Fired    bool   // its program ran
	Untried  string // why it is not known whether it would have run; "": it is known
	Why      string // the likely reason for Err or for silence, and what to do about it
}

// Silent says that the hook was attached, that the kernel ran what it is on,
// and that its program did not run.
func (r HookReport) Silent() bool { return r.Err == nil && r.Untried == "" && !r.Fired }

// SelfTest makes the kernel run what hooks are on. It tells by the name of each
// function and tracepoint that it has run (nil), or why it could not be made to.
type SelfTest func() map[string]error

// Examine tries everything that Open would, each hook by itself. Those that can
// be attached are then attached together, of all backends at once, while the
// self-test runs; which of them ran is counted by the kernel. At the end all
// is detached.
func Examine(o Options, test SelfTest) Report {
	_ = rlimit.RemoveMemlock()
	var uts unix.Utsname
	_ = unix.Uname(&uts) // fails only for a bad address
	s := readSwitches()
	r := Report{
		Kernel:       unix.ByteSliceToString(uts.Release[:]),
		Machine:      unix.ByteSliceToString(uts.Machine[:]),
		Capabilities: capabilities(),
		Lockdown:     s.lockdown,
		Notes:        s.notes(),
	}
	types, err := KernelTypes(o.BTF)
	if r.BTF = err; err != nil {
		return r
	}
	plain := o
	o.All, o.ExactRTT, o.trial = true, true, true
	tried := map[string]error{}
	var trials []*trial
	for _, b := range Backends() {
		t := tryBackend(b, &o, types, tried)
		if t.report.Usable {
			t.attach(&o, types)
		}
		defer t.close()
		trials = append(trials, t)
	}
	// Each hook was tried with maps as small as can be.
	whole := openWhole(trials, &plain, types)
	if runTrials(trials, test) && whole != nil {
		r.Missed, r.Unwitnessed = whole.missed()
	}
	if whole != nil && !trials[slices.Index(Backends(), whole.Backend)].report.Usable {
		whole.Close()
		whole = openWhole(trials, &plain, types)
	}
	if whole != nil {
		r.Chosen = whole.Backend
		whole.Close()
	}
	for _, t := range trials {
		r.Backends = append(r.Backends, t.report)
	}
	return r
}

// openWhole opens the first backend of use as the stream does, nil if there is none.
func openWhole(trials []*trial, o *Options, types *btf.Spec) *Tracer {
	for _, t := range trials {
		if !t.report.Usable {
			continue
		}
		whole, err := open(t.report.Backend, o, types)
		if err == nil {
			return whole
		}
		t.report.Usable = false
		t.report.Hooks = append(t.report.Hooks, HookReport{Name: "all at once, with maps of full size", Err: err, Why: hint(err)})
	}
	return nil
}

// missed is how many firings of the keepalive timer no program told of, or why
// that cannot be known.
func (t *Tracer) missed() (uint64, error) {
	if t.Unwitnessed != nil {
		return 0, t.Unwitnessed
	}
	lost, err := t.Lost()
	return lost.Missed, err
}

// tryBackend tries b's hooks, each by itself. tried holds what came of those
// that other backends have as well.
func tryBackend(b Backend, o *Options, types *btf.Spec, tried map[string]error) *trial {
	t := &trial{report: BackendReport{Backend: b, Usable: true, Lacks: b.lacksHere(types)}}
	for _, h := range hooksOf(b, o) {
		if h.spare != nil && h.spare(types) {
			continue
		}
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
		if err != nil {
			hr.Why = hint(err)
			t.without(h)
		}
		t.hooks = append(t.hooks, h)
		t.report.Hooks = append(t.report.Hooks, hr)
	}
	return t
}

// hint is what an error says beyond what the kernel said.
func hint(err error) string {
	var u *UnsupportedError
	if errors.As(err, &u) {
		return u.Hint
	}
	return ""
}

// tryHook loads and attaches a single hook, and takes it away.
func tryHook(b Backend, o *Options, h hook, types *btf.Spec) error {
	if why := readSwitches().silenced(h); why != "" {
		return neverRuns(h, why)
	}
	if err := h.notThere(types); err != nil {
		return err
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
