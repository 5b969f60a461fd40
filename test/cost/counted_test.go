// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Two tracers in turn: the code of the second lies where the first one's was. Ten firings
// each, but a hundred segments.
const (
	countsOfThree = `phase
ffffffff81000000 10 20
ffffffff81000110 4 10
phase
ffffffff81000000 10 50
phase
ffffffff81000000 10 1
phase
ffffffff81000000 10 21
ffffffff81000012 7 10
ffffffff81000110 4 20
ffffffff81000200 6 10
ffffffffc0000000 50 10
ffffffffc0000040 30 10
ffffffffc0000100 9 10
ffffffffc0000109 2 10
ffffffffc0200000 11 10
ffffffff81000400 5 10
ffffffff81000500 40 10
phase
ffffffff81000000 10 50
ffffffff81000300 3 200
ffffffff81000500 40 10
ffffffff81000600 25 100
phase
ffffffff81000000 10 20
ffffffff81000110 4 10
ffffffffc0000100 25 10
phase
ffffffff81000000 10 40
`
	wroteOfThree = `{"Kernel":"7.3.4","Variant":"no tracer","Marks":[{"Work":"probe","Phase":0,"N":10},{"Work":"segment","Phase":1,"N":100}],"Symbols":[
{"Address":18446744071578845184,"Name":"call_timer_fn"},{"Address":18446744071578845440,"Name":"memcpy"},{"Address":18446744071578845440,"Name":"__memcpy"},
{"Address":18446744071578845952,"Name":"htab_map_hash"},{"Address":18446744071578845696,"Name":"perf_tp_event"},
{"Address":18446744071578846208,"Name":"unit_alloc"},{"Address":18446744071578846464,"Name":"allocate_slab"},{"Address":18446744071578846720,"Name":"tcp_ack"}]}
{"Kernel":"7.3.4","Variant":"kprobe","Marks":[{"Work":"probe","Phase":3,"N":10},{"Work":"segment","Phase":4,"N":100}],"Symbols":[
{"Address":18446744072635809792,"Name":"bpf_prog_b84ea47b724808d6_kprobe_keepalive_timer"},{"Address":18446744072635810048,"Name":"ftrace_trampoline"}]}
{"Kernel":"7.3.4","Variant":"fentry","Marks":[{"Work":"probe","Phase":5,"N":10},{"Work":"segment","Phase":6,"N":100}],"Symbols":[
{"Address":18446744072635810048,"Name":"bpf_prog_8488cbe57a99e616_fentry_keepalive_timer"}]}
`
	tablesOfThree = `
| 7.3.4                | probe | segment |
|---|--:|--:|
| no tracer: all of it |    24 |       5 |
| kprobe               |   165 |       6 |
| fentry               |    25 |      -1 |

| 7.3.4, kprobe | all | programs | attaching | witness | look-ups | reads by call | ring | memory | clock | not attributed |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| probe         | 165 |       80 |        30 |       6 |        0 |             0 |    0 |     49 |     0 |              0 |
| segment       |   6 |        0 |         0 |       0 |        6 |             0 |    0 |      0 |     0 |             29 |

| 7.3.4, fentry | all | programs | attaching | witness | look-ups | reads by call | ring | memory | clock | not attributed |
|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|
| probe         |  25 |       25 |         0 |       0 |        0 |             0 |    0 |      0 |     0 |              0 |
| segment       |  -1 |        0 |        -1 |       0 |        0 |             0 |    0 |      0 |     0 |              0 |

| kprobe, probe                                    | instructions | calls |      part |
|---|--:|--:|--:|
| bpf_prog_b84ea47b724808d6_kprobe_keepalive_timer |           80 |  1.00 |  programs |
| allocate_slab                                    |           40 |  1.00 | allocator |

| kprobe, segment | instructions | calls |           part |
|---|--:|--:|--:|
| tcp_ack         |           25 |  1.00 | not attributed |
| htab_map_hash   |            6 |  2.00 |       look-ups |

| fentry, probe                                    | instructions | calls |      part |
|---|--:|--:|--:|
| bpf_prog_8488cbe57a99e616_fentry_keepalive_timer |           25 |  1.00 |  programs |
| call_timer_fn                                    |            0 |  0.00 | attaching |

| fentry, segment | instructions | calls |      part |
|---|--:|--:|--:|
| call_timer_fn   |           -1 | -0.10 | attaching |
`
)

func TestShowCounted(t *testing.T) {
	var got strings.Builder
	err := showCounted(&got, strings.NewReader(countsOfThree), strings.NewReader(wroteOfThree), 2)
	if diff := cmp.Diff(tablesOfThree, got.String()); err != nil || diff != "" {
		t.Errorf("%v, -want +got:\n%s", err, diff)
	}
}

// What the guest wrote has to be of the same run as the counts.
func TestShowCountedRefuses(t *testing.T) {
	for _, wrote := range []string{
		"",
		`{"Kernel":"7.3.4","Variant":"no tracer","Marks":[{"Work":"probe","Phase":7,"N":10}]}`,
		`{"Kernel":"7.3.4","Variant":"no tracer","Marks":[{"Work":"none of ours","Phase":0,"N":10}]}`,
		`{"Kernel":"7.3.4","Variant":"no tracer","Marks":[{"Work":"probe","Phase":0,"N":0}]}`,
	} {
		var got strings.Builder
		if err := showCounted(&got, strings.NewReader(countsOfThree), strings.NewReader(wrote), 0); err == nil {
			t.Errorf("%q: no error, but %q", wrote, got.String())
		}
	}
}

// A function's part is found by its name on any of the kernels.
func TestPartOf(t *testing.T) {
	for name, want := range map[string]part{
		"bpf_prog_b84ea47b724808d6_kretprobe_write_wakeup": programs,
		"__bpf_prog_enter_recur":                           attaching,
		"bpf_trampoline_6442562635":                        attaching,
		"kprobe_ftrace_handler":                            attaching,
		"trace_call_bpf":                                   attaching,
		"__rcu_read_lock":                                  attaching,
		"":                                                 attaching,
		"perf_trace_timer_expire_entry":                    witness,
		"filter_pred_64":                                   witness,
		"pre_handler_kretprobe":                            attaching,
		"filter_match_preds":                               witness,
		"perf_trace_buf_alloc":                             witness,
		"copy_from_kernel_nofault":                         reads,
		"bpf_probe_read_kernel":                            reads,
		"lookup_nulls_elem_raw":                            lookups,
		"__htab_map_lookup_elem":                           lookups,
		"__bpf_ringbuf_reserve":                            ring,
		"memcpy_orig":                                      memory,
		"jhash":                                            lookups,
		"__kmalloc_node_noprof":                            allocator,
		"ktime_get_mono_fast_ns":                           clock,
		"tcp_keepalive_timer":                              other,
		"__update_load_avg_se":                             other,
	} {
		if got := partOf(name); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}
