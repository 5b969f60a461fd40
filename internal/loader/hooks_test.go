// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// everyHook calls do for each hook of each backend, and what stands in for it.
func everyHook(do func(b Backend, h hook)) {
	for b, hs := range hooks {
		for _, h := range slices.Concat(hs, otherHooks[b]) {
			for x := &h; x != nil; x = x.instead {
				do(b, *x)
			}
		}
	}
}

// otherHooks are those of the other architecture, which may not be this one's.
var otherHooks = map[Backend][]hook{Kprobe: {wakeupEnd("amd64"), wakeupEnd("arm64")}}

// TestWakeupEnd: on arm64 no hook of the backend kprobe that has to be there takes
// ftrace, which may be switched off while kprobes run.
func TestWakeupEnd(t *testing.T) {
	if h := wakeupEnd("arm64"); h.how != byKretprobe || h.instead != nil {
		t.Errorf("arm64: %s, want a kretprobe", h)
	}
	if h := wakeupEnd("amd64"); h.how != byFexit || h.instead == nil || h.instead.how != byKretprobe {
		t.Errorf("amd64: %s, want fexit, or else a kretprobe", h)
	}
}

// TestHooksAndPrograms holds the table against the embedded object: what is
// attached is what the program was written for, and none is forgotten.
func TestHooksAndPrograms(t *testing.T) {
	spec, err := loadKatrace()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	everyHook(func(b Backend, h hook) {
		p := spec.Programs[h.prog]
		if p == nil {
			t.Errorf("%s: %s: no program %q in the object", b, h, h.prog)
			return
		}
		used[h.prog] = true
		section, typ := string(h.how)+"/", ebpf.Kprobe
		switch h.how {
		case byFentry, byFexit:
			typ = ebpf.Tracing
			if p.AttachTo != h.at {
				t.Errorf("%s: %s: is loaded for %q", b, h, p.AttachTo)
			}
		case byRawTracepoint:
			section, typ = "raw_tp/", ebpf.RawTracepoint
		case byKprobe, byKretprobe:
		}
		if p.SectionName != section+h.at || p.Type != typ {
			t.Errorf("%s: %s: the program is a %s in section %q, want a %s in %q", b, h, p.Type, p.SectionName, typ, section+h.at)
		}
	})
	for name := range spec.Programs {
		if !used[name] {
			t.Errorf("no hook uses the program %q", name)
		}
	}
}

// TestHooksOrder: what ends a thing is attached before what begins it.
func TestHooksOrder(t *testing.T) {
	ends := map[attachment][]attachment{byKprobe: {byKretprobe, byFexit}, byFentry: {byFexit}}
	for b, hs := range hooks {
		begun := map[string]bool{}
		ended := false // the end of a connection that is followed is seen
		for _, h := range hs {
			switch {
			case h.prog == katraceProgTpSetState:
				ended = true
			case h.onFunction() || h.at == "timer_expire_exit":
				if !ended {
					t.Errorf("%s: %s, which may follow a connection, comes before its end can be seen", b, h)
				}
			}
			for _, end := range ends[h.how] {
				begun[string(end)+h.at] = true
			}
			if begun[string(h.how)+h.at] {
				t.Errorf("%s: %s comes after what begins it", b, h)
			}
		}
	}
}

// TestHooksOptional: a backend without a hook that may lack says in words what
// is not known then, and what stands in for it may lack as well.
func TestHooksOptional(t *testing.T) {
	gives := map[Backend][]string{}
	everyHook(func(b Backend, h hook) {
		if h.gives != "" {
			gives[b] = append(gives[b], h.gives)
		}
		if h.instead != nil && h.instead.gives != h.gives {
			t.Errorf("%s: without %s %q is not known, without what stands in for it %q", b, h, h.gives, h.instead.gives)
		}
	})
	lacks := strings.Join(Tracepoint.Lacks(), "\n")
	for _, what := range []string{givesRST, givesEnabled} {
		if !strings.Contains(lacks, what) || !strings.Contains(strings.Join(gives[Kprobe], "\n"), what) {
			t.Errorf("%q: want it of kprobe's hooks and among what tracepoint lacks: %q", what, lacks)
		}
	}
	for _, b := range Backends() {
		if len(hooks[b]) == 0 || (len(b.Lacks()) == 0) != (b.Facts() == Facts{true, true, true, true, true, true, true, true, true}) {
			t.Errorf("%s: %d hooks, facts %+v, lacks %q", b, len(hooks[b]), b.Facts(), b.Lacks())
		}
	}
}

func TestHooksOf(t *testing.T) {
	names := func(b Backend, o Options) string {
		var s []string
		for _, h := range hooksOf(b, &o) {
			s = append(s, h.String())
		}
		return strings.Join(s, ", ")
	}
	for _, tt := range []struct {
		b          Backend
		o          Options
		with, less string
	}{
		{Kprobe, Options{}, "kprobe tcp_keepalive_timer", "kretprobe tcp_keepalive_timer"},
		{Kprobe, Options{All: true}, "kretprobe tcp_keepalive_timer", "raw tracepoint tcp_probe"},
		{Fentry, Options{}, "fentry tcp_keepalive_timer", "fexit tcp_keepalive_timer"},
		{Fentry, Options{All: true}, "fexit tcp_keepalive_timer", "kprobe"},
		{Tracepoint, Options{ExactRTT: true}, "raw tracepoint tcp_probe", "kprobe"},
		{Tracepoint, Options{}, "raw tracepoint timer_expire_exit", "raw tracepoint tcp_probe"},
	} {
		if got := names(tt.b, tt.o); !strings.Contains(got, tt.with) || strings.Contains(got, tt.less) {
			t.Errorf("%s %+v: %s; want %q and not %q", tt.b, tt.o, got, tt.with, tt.less)
		}
	}
}

// TestHookOnPart: fentry is not tried where only a part or a variant of the function is
// left, although the kernel's BTF may have the function. The kernel would refuse a program
// for it, and all others that are loaded with it.
func TestHookOnPart(t *testing.T) {
	sk := btf.FuncParam{Name: "sk", Type: &btf.Pointer{Target: &btf.Struct{Name: "sock", Size: 8}}}
	types := kernelWith(t, &btf.Func{Name: "tcp_send_dupack", Linkage: btf.StaticFunc,
		Type: &btf.FuncProto{Return: (*btf.Void)(nil), Params: []btf.FuncParam{sk, {Name: "skb", Type: sk.Type}}}})
	for kallsyms, want := range map[string]bool{
		"0000000000000000 t tcp_send_dupack\n":        true,
		"0000000000000000 t tcp_send_dupack.llvm.7\n": true, // from 5.18 to 6.10 the kernel finds it
		"0000000000000000 t tcp_send_dupack.part.0\n": false,
		"0000000000000000 t tcp_ack\n":                false,
	} {
		s, err := findSymbols(strings.NewReader(kallsyms), []string{"tcp_send_dupack"})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range []Backend{Kprobe, Fentry} {
			for _, h := range hooks[b] {
				if h.prog != katraceProgFentrySendDupack {
					continue
				}
				if err := h.notThereBy(types, s.of); (err == nil) != want {
					t.Errorf("%s: %s, with %q: %v", b, h, kallsyms, err)
				}
			}
		}
	}
	hidden := func(string) (symbol, error) { return symbol{}, errNoSymbols }
	if err := (hook{at: "tcp_send_dupack", how: byFentry}).notThereBy(types, hidden); err != nil {
		t.Errorf("where /proc/kallsyms is hidden: %v, want it tried", err)
	}
}
