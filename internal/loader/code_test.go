// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

func TestFunctionAt(t *testing.T) {
	const kallsyms = `ffffffff81000000 T _text
ffffffff81000100 t nf_hook_slow
ffffffff81000200 d some_data
ffffffff81000300 t ip_rcv_finish_core.isra.0
ffffffff81000400 T tcp_v4_rcv
ffffffff81000400 T an_alias
ffffffffc0000000 t nft_do_chain	[nf_tables]
ffffffffc0001000 t nft_other	[nf_tables]
`
	for addr, want := range map[uint64]string{
		0xffffffff81000101: "nf_hook_slow",
		0xffffffff81000200: "nf_hook_slow", // the address after a call, and no data
		0xffffffff81000300: "nf_hook_slow",
		0xffffffff81000301: "ip_rcv_finish_core",
		0xffffffff81000404: "tcp_v4_rcv",
		0xffffffffc0000010: "nft_do_chain",
		0xffffffff80000000: "",
	} {
		if got, err := functionAt(strings.NewReader(kallsyms), addr); got != want || err != nil {
			t.Errorf("%#x: %q, %v; want %q", addr, got, err, want)
		}
	}
	// Addresses are hidden.
	if got, err := functionAt(strings.NewReader("0000000000000000 T tcp_v4_rcv\n"), 0xffffffff81000000); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := functionAt(strings.NewReader("ffffffff81000000 T "+strings.Repeat("x", 1<<20)), 1); err == nil {
		t.Error("a line without an end is no error")
	}
}

// TestDropNames: the kernel's names, and none where it says nothing.
func TestDropNames(t *testing.T) {
	types := kernelWith(t, &btf.Enum{Name: "skb_drop_reason", Size: 4, Values: []btf.EnumValue{
		{Name: "SKB_NOT_DROPPED_YET", Value: 0}, {Name: "SKB_CONSUMED", Value: 1},
		{Name: "SKB_DROP_REASON_NOT_SPECIFIED", Value: 2}, {Name: "SKB_DROP_REASON_NETFILTER_DROP", Value: 9},
	}})
	tracer := Tracer{code: code{reasons: dropReasons(types), places: map[uint64]string{7: "nf_hook_slow"}}}
	for number, want := range map[uint32]string{0: "", 1: "", 2: "", 9: "NETFILTER_DROP", 77: ""} {
		var r Record
		r.DropReason, r.Location = number, 7
		if got := tracer.DropReason(&r); got != want {
			t.Errorf("reason %d: %q, want %q", number, got, want)
		}
		if got := tracer.DropPlace(&r); got != "nf_hook_slow" {
			t.Errorf("place %q", got)
		}
	}
}

// TestDropParameters: what tracepoint kfree_skb shows decides what is not known,
// whatever a function of that name has.
func TestDropParameters(t *testing.T) {
	skb := btf.FuncParam{Name: "skb", Type: &btf.Pointer{Target: &btf.Struct{Name: "sk_buff", Size: 8}}}
	function := &btf.Func{Name: "kfree_skb", Type: &btf.FuncProto{Return: (*btf.Void)(nil), Params: []btf.FuncParam{skb}}, Linkage: btf.GlobalFunc}
	for n, lacks := range map[int]map[Backend][]string{
		2: {Kprobe: {givesProbedByte, givesDropReasons}, Tracepoint: {givesProbed, givesDropReasons}},
		3: {Kprobe: {givesProbedByte}, Tracepoint: {givesProbed}},
		4: {},
	} {
		params := []btf.FuncParam{skb} // the tracer's own
		for range n {
			params = append(params, skb)
		}
		types := kernelWith(t, function, &btf.Typedef{Name: "btf_trace_kfree_skb",
			Type: &btf.Pointer{Target: &btf.FuncProto{Return: (*btf.Void)(nil), Params: params}}})
		if got := dropParameters(types); got != n || dropsHaveSocket(types) != (n == 4) {
			t.Errorf("%d parameters: %d, with the socket %v", n, got, dropsHaveSocket(types))
		}
		for _, b := range []Backend{Kprobe, Tracepoint} {
			if got, want := b.lacksHere(types), append(b.Lacks(), lacks[b]...); !slices.Equal(got, want) {
				t.Errorf("%d parameters, %s lacks %q, want %q", n, b, got, want)
			}
		}
	}
	if got := dropParameters(kernelWith(t, function)); got != dropBare {
		t.Errorf("without the tracepoint in BTF: %d, want the fewest", got)
	}
}
