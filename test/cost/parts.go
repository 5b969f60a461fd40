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
	clock
	other // the kernel's own functions, and what nobody called for: not attributed
	parts
)

func (p part) String() string {
	return [parts]string{"programs", "attaching", "witness", "look-ups", "reads", "ring", "clock", "not attributed"}[p]
}

// functions are the kernel's functions by what they are for; the first that fits holds.
// Functions that the kernel needs without a tracer as well are no error here: what is
// shown is the difference. The names are of 5.10 to 7.3.
var functions = []struct {
	part part
	name *regexp.Regexp
}{
	{programs, regexp.MustCompile(`^bpf_prog_[0-9a-f]{16}`)},
	{witness, regexp.MustCompile(`^perf_(trace_|tp_event|swevent_)|^___?perf_sw_event|^filter_match_preds|^tracing_gen_ctx|^perf_event_`)},
	{reads, regexp.MustCompile(`^copy_from_kernel_nofault|^bpf_probe_read`)},
	{lookups, regexp.MustCompile(`htab|^lookup_nulls_elem_raw|^memcmp|_map_(lookup|update|delete)_elem`)},
	{ring, regexp.MustCompile(`ringbuf|^memcpy|^__memcpy|^memset|irq_work`)},
	{clock, regexp.MustCompile(`ktime_get|^read_(tsc|hpet)`)},
	{attaching, regexp.MustCompile(`kprobe|ftrace|rethook|objpool|^bpf_(trace|trampoline|get_)|^trace_call_bpf|^__bpf_(prog|tramp|trace)|^__(traceiter|SCT__tp)_|^(__)?(rcu_read|migrate|preempt)|^__x86_(indirect|return)_thunk`)},
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
