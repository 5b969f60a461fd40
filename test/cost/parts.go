// SPDX-License-Identifier: BSD-2-Clause

package main

import "regexp"

// part is what a tracer's instructions are for.
type part int

const (
	programs  part = iota // the BPF programs themselves, as the kernel compiled them
	attaching             // calling them: kprobes, ftrace, trampolines, tracepoints
	witness               // the perf events that count firings as well
	lookups               // hash tables
	reads                 // fields read by calls
	ring                  // records, on their way to user space
	memory                // copies, and room for new entries of the tables
	clock
	other // not attributed: the kernel's own functions
	parts
	allocator // memory where a program makes entries, else not attributed
)

func (p part) String() string {
	return [...]string{"programs", "attaching", "witness", "look-ups", "reads by call", "ring", "memory", "clock", "not attributed", "", "allocator"}[p]
}

// functions are the kernel's functions by what they are for; the first that fits holds.
// Functions that the kernel needs without a tracer as well are no error here: what is
// shown is the difference. The names are of 5.10 to 7.3.
var functions = []struct {
	part part
	name *regexp.Regexp
}{
	{programs, regexp.MustCompile(`^bpf_prog_[0-9a-f]{16}`)},
	{witness, regexp.MustCompile(`^perf_(trace_|tp_event|swevent_|event_)|^___?perf_sw_event|^filter_(match_preds|pred)|^tracing_gen`)},
	{reads, regexp.MustCompile(`^copy_from_kernel_nofault|^bpf_probe_read`)},
	{lookups, regexp.MustCompile(`htab|^lookup_(nulls_)?elem_raw|^memcmp|^jhash|pcpu_freelist|_map_(lookup|update|delete)_elem`)},
	{ring, regexp.MustCompile(`ringbuf|irq_work|^_raw_spin_(un)?lock_irq`)},
	{memory, regexp.MustCompile(`mem(cpy|set|move)|^bpf_mem_|^unit_(alloc|free)`)},
	{clock, regexp.MustCompile(`ktime_get|^read_(tsc|hpet)`)},
	{attaching, regexp.MustCompile(`k(ret)?probe|ftrace|rethook|objpool|^trampoline_handler|^recycle_rp_inst|^_find_next_bit|^hash_contains_ip|pre_handler|^bpf_(trace|trampoline|get_)|^trace_call_bpf|^__bpf_(prog|tramp|trace)|^__(traceiter|SCT__tp)_|^(__)?(rcu_read|migrate|preempt)|^__x86_(indirect|return)_thunk`)},
	// The functions that have the tracepoints, and so the calls.
	{attaching, regexp.MustCompile(`^call_timer_fn|^(sk_skb_reason_drop|kfree_skb)|^inet_sk_(set_state|state_store)|^tcp_rcv_established`)},
	{allocator, regexp.MustCompile(`^clear_(page|highpage)|kmalloc|kmem_cache|slab|alloc|^__refill_objects|^get_partial|percpu_counter|rmqueue|^get_page_from`)},
}

// partOf says what a function is for; "" is code without a name: the trampolines of 5.10.
func partOf(function string) part {
	if function == "" {
		return attaching
	}
	for _, f := range functions {
		if f.name.MatchString(function) {
			return f.part
		}
	}
	return other
}
