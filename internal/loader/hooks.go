// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// hook is one attachment: a program and the place in the kernel it goes to.
type hook struct {
	prog   string     // the program's name in the object
	at     string     // the kernel function or tracepoint
	how    attachment // how it gets there
	onlyIf func(*Options) bool
}

type attachment string

const (
	byKprobe        attachment = "kprobe"
	byKretprobe     attachment = "kretprobe"
	byRawTracepoint attachment = "raw tracepoint"
)

// String names the hook as errors and the doctor do: "kprobe tcp_write_wakeup".
func (h hook) String() string { return string(h.how) + " " + h.at }

func withAll(o *Options) bool { return o.All }

// hooks lists what each backend attaches, in the order of attaching: what ends
// a thing comes before what begins it, so that nothing is half seen.
var hooks = map[Backend][]hook{
	Kprobe: append([]hook{
		{katraceProgKretprobeWriteWakeup, "tcp_write_wakeup", byKretprobe, nil},
		{katraceProgKprobeWriteWakeup, "tcp_write_wakeup", byKprobe, nil},
		{katraceProgKprobeSendActiveReset, "tcp_send_active_reset", byKprobe, nil},
		{katraceProgKretprobeKeepaliveTimer, "tcp_keepalive_timer", byKretprobe, withAll},
		{katraceProgKprobeKeepaliveTimer, "tcp_keepalive_timer", byKprobe, nil},
	}, common...),
	Tracepoint: append([]hook{
		{katraceProgTpSendReset, "tcp_send_reset", byRawTracepoint, nil},
		{katraceProgTpTimerExpireExit, "timer_expire_exit", byRawTracepoint, nil},
		{katraceProgTpTimerExpireEntry, "timer_expire_entry", byRawTracepoint, nil},
	}, common...),
}

// common are the hooks that every backend has.
var common = []hook{
	{katraceProgTpReceiveReset, "tcp_receive_reset", byRawTracepoint, nil},
	{katraceProgTpSetState, "inet_sock_set_state", byRawTracepoint, nil},
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
	case byRawTracepoint:
		l, err = link.AttachRawTracepoint(link.RawTracepointOptions{Name: h.at, Program: prog})
	}
	if err != nil {
		return nil, fmt.Errorf("attach %s: %w", h, err)
	}
	return l, nil
}
