// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

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
	// instead is attached where this hook cannot be, and insteadLacks says what is
	// not known then.
	instead      *hook
	insteadLacks string
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

// onFunction says that the hook is on a kernel function, not a tracepoint.
func (h hook) onFunction() bool { return h.how != byRawTracepoint }

// isThere says whether this kernel has what the hook is for, as its BTF tells.
func (h hook) isThere(types *btf.Spec) bool {
	n := parameters(types, h.at)
	if h.params != 0 {
		return n >= h.params
	}
	return n > 0 || !h.onFunction()
}

func withAll(o *Options) bool { return o.All }
func withRTT(o *Options) bool { return o.ExactRTT }

// What the hooks that a kernel may lack are for.
const (
	givesICMP4   = "ICMP errors (IPv4)"
	givesICMP6   = "ICMP errors (IPv6)"
	givesProbed  = "probes that the peer sends"
	givesEnabled = "who switches SO_KEEPALIVE on"
	givesRTT     = "exact round trips"
	givesRST     = "who sent a RST"

	givesProbedByte = "probes of one byte that the peer sends (as Windows does)"
)

// How many parameters there have to be.
const (
	dropWithSocket   = 4 // kfree_skb(skb, location, reason, rx_sk), from 6.11 on
	resetWithSegment = 2 // tcp_reset(sk, skb), from 5.12 on
)

// hooks lists what each backend attaches, in the order of attaching: what ends
// a thing comes before what begins it, so that nothing is half seen. They are
// detached in the opposite order.
var hooks = map[Backend][]hook{
	Kprobe: slices.Concat(common, []hook{
		{prog: katraceProgKretprobeWriteWakeup, at: "tcp_write_wakeup", how: byKretprobe},
		{prog: katraceProgKprobeWriteWakeup, at: "tcp_write_wakeup", how: byKprobe},
		{prog: katraceProgKprobeSendActiveReset, at: "tcp_send_active_reset", how: byKprobe},
		{prog: katraceProgKretprobeKeepaliveTimer, at: "tcp_keepalive_timer", how: byKretprobe, onlyIf: withAll},
		{prog: katraceProgKprobeKeepaliveTimer, at: "tcp_keepalive_timer", how: byKprobe},
		{prog: katraceProgKprobeV4Err, at: "tcp_v4_err", how: byKprobe, gives: givesICMP4},
		{prog: katraceProgKprobeV6Err, at: "tcp_v6_err", how: byKprobe, gives: givesICMP6},
		{prog: katraceProgTpKfreeSkb, at: "kfree_skb", how: byRawTracepoint, gives: givesProbed, params: dropWithSocket, instead: &hook{
			prog: katraceProgKprobeSendDupack, at: "tcp_send_dupack", how: byKprobe, gives: givesProbed,
		}, insteadLacks: givesProbedByte},
		{prog: katraceProgKprobeReset, at: "tcp_reset", how: byKprobe, gives: givesRST, params: resetWithSegment},
		// In process context, where the timer may interrupt a kprobe's handler,
		// whose own kprobes the kernel then skips: by fentry if it can be.
		{prog: katraceProgFentrySetKeepalive, at: "tcp_set_keepalive", how: byFentry, gives: givesEnabled, instead: &hook{
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
		{prog: katraceProgTpKfreeSkb, at: "kfree_skb", how: byRawTracepoint, gives: givesProbed, params: dropWithSocket, instead: &hook{
			prog: katraceProgFentrySendDupack, at: "tcp_send_dupack", how: byFentry, gives: givesProbed,
		}, insteadLacks: givesProbedByte},
		{prog: katraceProgFentryReset, at: "tcp_reset", how: byFentry, gives: givesRST, params: resetWithSegment},
		{prog: katraceProgFentrySetKeepalive, at: "tcp_set_keepalive", how: byFentry, gives: givesEnabled},
	}),
	Tracepoint: slices.Concat(common, []hook{
		{prog: katraceProgTpSendReset, at: "tcp_send_reset", how: byRawTracepoint},
		{prog: katraceProgTpKfreeSkb, at: "kfree_skb", how: byRawTracepoint, gives: givesProbed, params: dropWithSocket},
		{prog: katraceProgTpTimerExpireExit, at: "timer_expire_exit", how: byRawTracepoint},
		{prog: katraceProgTpTimerExpireEntry, at: "timer_expire_entry", how: byRawTracepoint},
	}),
}

// common are the hooks that every backend has. Of a connection that is followed
// without tp_set_state its end would go unseen, and its story would be told of
// the next socket at its address.
var common = []hook{
	{prog: katraceProgTpReceiveReset, at: "tcp_receive_reset", how: byRawTracepoint},
	{prog: katraceProgTpSetState, at: "inet_sock_set_state", how: byRawTracepoint},
	{prog: katraceProgTpProbe, at: "tcp_probe", how: byRawTracepoint, gives: givesRTT, onlyIf: withRTT},
}

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
func (h hook) attach(prog *ebpf.Program) (link.Link, error) {
	var (
		l   link.Link
		err error
	)
	switch h.how {
	case byKprobe:
		l, err = link.Kprobe(h.at, prog, nil)
	case byKretprobe:
		l, err = link.Kretprobe(h.at, prog, nil)
	case byFentry, byFexit:
		l, err = link.AttachTracing(link.TracingOptions{Program: prog})
	case byRawTracepoint:
		l, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: h.at, Program: prog})
	}
	if why := h.refusal(err); why != "" {
		return nil, unsupported(fmt.Sprintf("attach %s", h), unix.EPERM, why) // the library tells every way it tried
	}
	if err != nil {
		return nil, unsupported(fmt.Sprintf("attach %s", h), err, "")
	}
	return l, nil
}

// refusal says why attaching was refused, where it is not for want of what
// loading wants as well: Debian's and Ubuntu's kernels ask for more for kprobes
// (perf_event_open) where perf_event_paranoid is above 2.
func (h hook) refusal(err error) string {
	if h.how != byKprobe && h.how != byKretprobe || !isPermission(err) || missing() != 0 {
		return ""
	}
	own, err := readCapabilities()
	if err != nil || own.effective.has(unix.CAP_SYS_ADMIN) {
		return ""
	}
	text, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	if err != nil {
		return ""
	}
	level, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || level <= 2 {
		return ""
	}
	return fmt.Sprintf("kernel.perf_event_paranoid is %d: %s, or sysctl kernel.perf_event_paranoid=2", level, lacks(capsOf(unix.CAP_SYS_ADMIN)))
}
