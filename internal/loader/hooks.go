// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// hook is one attachment: a program and the place in the kernel it goes to.
type hook struct {
	prog string     // the program's name in the object
	at   string     // the kernel function or tracepoint
	how  attachment // how it gets there
	// gives says what is not known without the hook. A hook without such a
	// word has to be there.
	gives  string
	onlyIf func(*Options) bool
	// params is how many parameters the function or tracepoint has to have for the
	// program to find what it reads; 0: whatever it has.
	params int
	// instead is attached where this hook cannot be. Both have to be there, or neither.
	instead *hook
	// spare says whether other hooks give on this kernel all that this one does;
	// nil: they never do.
	spare func(*btf.Spec) bool
}

type attachment string

const (
	byKprobe        attachment = "kprobe"
	byKretprobe     attachment = "kretprobe"
	byFentry        attachment = "fentry"
	byFexit         attachment = "fexit"
	byRawTracepoint attachment = "raw tracepoint"
)

// String names the hook as errors and the doctor do: "kprobe tcp_write_wakeup".
func (h hook) String() string { return string(h.how) + " " + h.at }

// byProbe and byTracing are the two ways to a kernel function; the others lead
// to a tracepoint. For the second the kernel's BTF has to know the function.
func (h hook) byProbe() bool   { return h.how == byKprobe || h.how == byKretprobe }
func (h hook) byTracing() bool { return h.how == byFentry || h.how == byFexit }

// onFunction says that the hook is on a kernel function, not a tracepoint.
func (h hook) onFunction() bool { return h.byProbe() || h.byTracing() }

// isThere says whether this kernel has what the hook is for, as its BTF tells. A
// static function may be missing there (ThinLTO) and take a kprobe all the same.
func (h hook) isThere(types *btf.Spec) bool { return h.notThere(types) == nil }

// notThere says why not.
func (h hook) notThere(types *btf.Spec) error { return h.notThereBy(types, kernelSymbol) }

// notThereBy is notThere, by where the kernel's functions are looked up.
func (h hook) notThereBy(types *btf.Spec, function func(name string) (symbol, error)) error {
	n := parameters(types, h.at)
	var none *noFunctionError
	if h.byTracing() {
		// The kernel looks it up by its plain name (bpf_check_attach_target). The BTF may have a
		// function of which only NAME.part.0 or the like is left (pahole --btf_gen_optimized).
		_, err := function(h.at)
		errors.As(err, &none)
	}
	switch {
	case h.byProbe() && missing() == 0 && !hasKprobes(types): // what this process lacks comes first
		return unsupported("attach "+h.String(), unix.EOPNOTSUPP, noKprobes)
	case none != nil:
		return unsupported("find "+h.String(), none, "")
	case h.params == 0 && (n > 0 || !h.byTracing()):
		return nil
	case h.params != 0 && n >= h.params:
		return nil
	case n > 0:
		return unsupported("find "+h.String(), fmt.Errorf("it has %d parameters in this kernel, %d are needed", n, h.params), "")
	}
	err := errors.New("the kernel's BTF does not have it")
	if h.onFunction() {
		if _, none := function(h.at); none != nil {
			err = none
		}
	}
	return unsupported("find "+h.String(), err, "")
}

const noKprobes = "this kernel has no kprobes (CONFIG_KPROBES, CONFIG_KPROBE_EVENTS)"

// hasKprobes says whether the kernel has them for perf and BPF. Where sysfs does not
// show it, its BTF does (perf_kprobe_init, kernel/trace/trace_event_perf.c).
func hasKprobes(types *btf.Spec) bool {
	return exists(kprobePMU) || parameters(types, "perf_kprobe_init") > 0
}

func withAll(o *Options) bool  { return o.All && !o.Quiet }
func withRTT(o *Options) bool  { return o.ExactRTT }
func notQuiet(o *Options) bool { return !o.Quiet }

// withProbed: the peer's probes are told or counted.
func withProbed(o *Options) bool { return !o.Quiet || o.Counting }

// What the hooks that a kernel may lack are for.
const (
	givesICMP4   = "ICMP errors (IPv4)"
	givesICMP6   = "ICMP errors (IPv6)"
	givesProbed  = "probes that the peer sends"
	givesEnabled = "who switches SO_KEEPALIVE on"
	givesRTT     = "exact round trips"
	givesRST     = "who sent a RST"

	givesProbedByte  = "probes of one byte that the peer sends (as Windows does)"
	givesDropped     = "segments dropped on this host"
	givesDropReasons = "why a segment was dropped on this host (where is known)"
)

// How many parameters there have to be.
const (
	dropBare         = 2 // tracepoint kfree_skb(skb, location)
	dropWithReason   = 3 // tracepoint kfree_skb(skb, location, reason), from 5.17 on
	dropWithSocket   = 4 // kfree_skb(skb, location, reason, rx_sk), from 6.11 on
	resetWithSegment = 2 // tcp_reset(sk, skb), from 5.12 on
)

// hooks lists what each backend attaches, in the order of attaching: what ends
// a thing comes before what begins it, so that nothing is half seen. They are
// detached in the opposite order.
var hooks = map[Backend][]hook{
	Kprobe: slices.Concat(common, []hook{
		wakeupEnd(runtime.GOARCH),
		{prog: katraceProgKprobeWriteWakeup, at: "tcp_write_wakeup", how: byKprobe},
		{prog: katraceProgKprobeSendActiveReset, at: "tcp_send_active_reset", how: byKprobe},
		{prog: katraceProgKretprobeKeepaliveTimer, at: "tcp_keepalive_timer", how: byKretprobe, onlyIf: withAll},
		{prog: katraceProgKprobeKeepaliveTimer, at: "tcp_keepalive_timer", how: byKprobe},
		{prog: katraceProgKprobeV4Err, at: "tcp_v4_err", how: byKprobe, gives: givesICMP4},
		{prog: katraceProgKprobeV6Err, at: "tcp_v6_err", how: byKprobe, gives: givesICMP6},
		// By fentry it knows the types of the parameters, and reads by loads (bpf/read.h).
		{prog: katraceProgFentrySendDupack, at: "tcp_send_dupack", how: byFentry, gives: givesProbed, onlyIf: withProbed, spare: dropsHaveSocket, instead: &hook{
			prog: katraceProgKprobeSendDupack, at: "tcp_send_dupack", how: byKprobe, gives: givesProbed,
		}},
		{prog: katraceProgKprobeReset, at: "tcp_reset", how: byKprobe, gives: givesRST, params: resetWithSegment},
		// In process context, where the timer may interrupt a kprobe's handler,
		// whose own kprobes the kernel then skips: by fentry if it can be.
		{prog: katraceProgFentrySetKeepalive, at: "tcp_set_keepalive", how: byFentry, gives: givesEnabled, onlyIf: notQuiet, instead: &hook{
			prog: katraceProgKprobeSetKeepalive, at: "tcp_set_keepalive", how: byKprobe, gives: givesEnabled,
		}},
	}),
	Fentry: slices.Concat(common, []hook{
		{prog: katraceProgFexitWriteWakeup, at: "tcp_write_wakeup", how: byFexit},
		{prog: katraceProgFentrySendActiveReset, at: "tcp_send_active_reset", how: byFentry},
		{prog: katraceProgFexitKeepaliveTimer, at: "tcp_keepalive_timer", how: byFexit, onlyIf: withAll},
		{prog: katraceProgFentryKeepaliveTimer, at: "tcp_keepalive_timer", how: byFentry},
		{prog: katraceProgFentryV4Err, at: "tcp_v4_err", how: byFentry, gives: givesICMP4},
		{prog: katraceProgFentryV6Err, at: "tcp_v6_err", how: byFentry, gives: givesICMP6},
		{prog: katraceProgFentrySendDupack, at: "tcp_send_dupack", how: byFentry, gives: givesProbed, onlyIf: withProbed, spare: dropsHaveSocket},
		{prog: katraceProgFentryReset, at: "tcp_reset", how: byFentry, gives: givesRST, params: resetWithSegment},
		{prog: katraceProgFentrySetKeepalive, at: "tcp_set_keepalive", how: byFentry, gives: givesEnabled, onlyIf: notQuiet},
	}),
	Tracepoint: slices.Concat(common, []hook{
		{prog: katraceProgTpSendReset, at: "tcp_send_reset", how: byRawTracepoint},
		{prog: katraceProgTpTimerExpireExit, at: "timer_expire_exit", how: byRawTracepoint},
		{prog: katraceProgTpTimerExpireEntry, at: "timer_expire_entry", how: byRawTracepoint},
	}),
}

// wakeupEnd shows what tcp_write_wakeup returns, beside its kprobe. fexit takes
// several times fewer instructions than a kretprobe (docs/performance.md). But only
// on amd64 are both switched off by the same switch: on arm64, where kprobes do not
// need ftrace, no probe would be seen while kernel.ftrace_enabled is 0.
func wakeupEnd(arch string) hook {
	h := hook{prog: katraceProgKretprobeWriteWakeup, at: "tcp_write_wakeup", how: byKretprobe}
	if arch != "amd64" {
		return h
	}
	return hook{prog: katraceProgKprobeWriteWakeupEnd, at: "tcp_write_wakeup", how: byFexit, instead: &h}
}

// common are the hooks that every backend has. Of a connection that is followed
// without tp_set_state its end would go unseen, and its story would be told of
// the next socket at its address.
var common = []hook{
	{prog: katraceProgTpReceiveReset, at: "tcp_receive_reset", how: byRawTracepoint},
	{prog: katraceProgTpSetState, at: "inet_sock_set_state", how: byRawTracepoint},
	{prog: katraceProgTpProbe, at: "tcp_probe", how: byRawTracepoint, gives: givesRTT, onlyIf: withRTT},
	{prog: katraceProgTpKfreeSkb, at: "kfree_skb", how: byRawTracepoint, gives: givesDropped},
}

// dropsHaveSocket says that tracepoint kfree_skb shows the peer's probes, too: it
// has the socket that was to receive the segment.
func dropsHaveSocket(types *btf.Spec) bool { return dropParameters(types) >= dropWithSocket }

// hooksOf are the backend's hooks that these options ask for.
func hooksOf(b Backend, o *Options) []hook {
	var hs []hook
	for _, h := range hooks[b] {
		if h.onlyIf == nil || h.onlyIf(o) {
			hs = append(hs, h)
		}
	}
	return hs
}

// attach attaches the loaded program. The link has to be held: once nothing
// refers to it, the garbage collector detaches it.
func (h hook) attach(prog *ebpf.Program) (l link.Link, err error) {
	switch {
	case h.byProbe():
		l, err = h.probe(h.at, prog)
		// Before 6.0 a kretprobe on what is not there gives EINVAL. The search
		// takes a while: not before the plain name has failed.
		if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EINVAL) {
			found, none := kernelSymbol(h.at)
			switch {
			case none != nil:
				err = none
			case found.name != h.at:
				l, err = h.probe(found.name, prog)
			}
		}
	case h.byTracing():
		l, err = link.AttachTracing(link.TracingOptions{Program: prog})
	default:
		l, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: h.at, Program: prog})
	}
	if err != nil {
		return nil, refused("attach "+h.String(), err, h)
	}
	return l, nil
}

func (h hook) probe(symbol string, prog *ebpf.Program) (link.Link, error) {
	if h.how == byKretprobe {
		return link.Kretprobe(symbol, prog, nil)
	}
	return link.Kprobe(symbol, prog, nil)
}
