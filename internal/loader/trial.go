// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// trial is a backend while it is examined. hooks and report.Hooks go together.
type trial struct {
	report BackendReport
	hooks  []hook
	coll   *ebpf.Collection
	links  []attached
}

// without notes that a hook is of no use here.
func (t *trial) without(h hook) {
	switch {
	case h.gives != "":
		t.report.Lacks = append(t.report.Lacks, h.gives)
	case h.onlyIf == nil:
		t.report.Usable = false
	}
}

// attach attaches all hooks that could be attached by themselves.
func (t *trial) attach(o *Options, types *btf.Spec) {
	var hs []hook
	for i, h := range t.hooks {
		if t.report.Hooks[i].Err == nil {
			hs = append(hs, h)
		}
	}
	err := func() (err error) {
		if t.coll, _, err = load(t.report.Backend, o, hs, types); err != nil {
			return err
		}
		for _, h := range hs {
			l, err := h.attach(t.coll.Programs[h.prog])
			if err != nil {
				return err
			}
			t.links = append(t.links, attached{h, l, t.coll.Programs[h.prog]})
		}
		return nil
	}()
	if err != nil {
		t.report.Usable = false
		t.report.Hooks = append(t.report.Hooks, HookReport{Name: "all at once", Err: err, Why: hint(err)})
		t.close()
	}
}

func (t *trial) close() {
	for _, a := range t.links {
		_ = a.link.Close()
	}
	t.links = nil
	if t.coll != nil {
		t.coll.Close()
		t.coll = nil
	}
}

// runTrials runs the self-test, and notes of each attached hook whether its
// program ran meanwhile, by the count that the kernel keeps where it is asked
// to (BPF_ENABLE_STATS, from 5.8 on). It says whether the self-test was run.
func runTrials(trials []*trial, test SelfTest) (tested bool) {
	any := false
	for _, t := range trials {
		any = any || len(t.links) > 0
	}
	untried := ""
	var ran map[string]error
	if any {
		if stats, err := ebpf.EnableStats(unix.BPF_STATS_RUN_TIME); err != nil {
			untried = fmt.Sprintf("the kernel does not count programs' runs for this process: %v (%s)", err, Advice(unix.CAP_SYS_ADMIN))
		} else {
			defer func() { _ = stats.Close() }()
			ran, tested = test(), true
		}
	}
	for _, t := range trials {
		programs := map[string]*ebpf.Program{}
		for _, a := range t.links {
			programs[a.hook.prog] = a.prog
		}
		for i, h := range t.hooks {
			hr := &t.report.Hooks[i]
			if hr.Err != nil {
				continue
			}
			t.judge(h, hr, programs[h.prog], ran, untried)
		}
	}
	return tested
}

// judge decides whether a hook fired.
func (t *trial) judge(h hook, hr *HookReport, prog *ebpf.Program, ran map[string]error, untried string) {
	if prog == nil {
		hr.Untried = "the backend cannot be used"
		return
	}
	if untried != "" {
		hr.Untried = untried
		return
	}
	stats, err := prog.Stats()
	switch failed, staged := ran[h.at]; {
	case err != nil:
		hr.Untried = err.Error()
	case stats.RunCount > 0:
		hr.Fired = true
	case !staged:
		hr.Untried = "the self-test has nothing for it"
	case failed != nil:
		hr.Untried = failed.Error()
	default:
		hr.Why = readSwitches().whySilent(h)
		t.without(h)
	}
}
