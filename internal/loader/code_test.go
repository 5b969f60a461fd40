// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
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
