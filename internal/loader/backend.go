// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"github.com/cilium/ebpf/btf"
)

// Backend is a way of attaching to the kernel.
type Backend string

// The backends, best first: Auto takes the first that this kernel and these
// privileges allow.
const (
	Auto       Backend = "auto"
	Kprobe     Backend = "kprobe"
	Fentry     Backend = "fentry"
	Tracepoint Backend = "tracepoint"
)

// What the tracepoints do not show, in words.
const (
	lacksSendErrors   = "whether a probe left this host"
	lacksICMP         = "ICMP errors"
	lacksWindowProbes = "zero-window probes"
)

// Backends lists the real ones in the order in which Auto tries them.
func Backends() []Backend { return []Backend{Kprobe, Fentry, Tracepoint} }

// Facts says what a backend can know beyond the events that all of them give.
type Facts struct {
	SendErrors   bool // a probe that did not leave: no route, link down, queue full
	ICMP         bool // ICMP errors, with the router that said it
	WindowProbes bool // zero-window probes
	Probed       bool // empty probes that the peer sends us
	ProbedByte   bool // probes of one byte that the peer sends us
	Enabled      bool // who switches SO_KEEPALIVE on
	RST          bool // whether a RST came from a peer that knew the connection
	Dropped      bool // segments dropped on this host, and where
	DropReasons  bool // and why, by the kernel's word
}

// Facts tells what the backend can know, given hooks that are all there.
func (b Backend) Facts() Facts {
	if b == Tracepoint {
		return Facts{Probed: true, ProbedByte: true, Dropped: true, DropReasons: true}
	}
	return Facts{SendErrors: true, ICMP: true, WindowProbes: true, Probed: true, ProbedByte: true, Enabled: true, RST: true,
		Dropped: true, DropReasons: true}
}

// FactsHere tells what the backend can know on the running kernel, given that
// what its BTF shows can be hooked. btfFile is Options.BTF.
func (b Backend) FactsHere(btfFile string) (Facts, error) {
	types, err := kernelTypes(btfFile)
	if err != nil {
		return Facts{}, err
	}
	return b.factsHere(types), nil
}

func (b Backend) factsHere(types *btf.Spec) Facts {
	f := b.Facts()
	f.ProbedByte = dropsHaveSocket(types)
	f.DropReasons = dropParameters(types) >= dropWithReason
	f.Probed = f.ProbedByte || b != Tracepoint
	f.RST = f.RST && parameters(types, "tcp_reset") >= resetWithSegment
	return f
}

// lacksHere is Lacks, and what tracepoint kfree_skb does not show on this kernel.
func (b Backend) lacksHere(types *btf.Spec) []string {
	lacks := b.Lacks()
	if !dropsHaveSocket(types) {
		if b == Tracepoint {
			lacks = append(lacks, givesProbed)
		} else {
			lacks = append(lacks, givesProbedByte)
		}
	}
	if dropParameters(types) < dropWithReason {
		lacks = append(lacks, givesDropReasons)
	}
	return lacks
}

// Lacks says in words what this backend cannot know and another could.
func (b Backend) Lacks() []string {
	if b != Tracepoint {
		return nil
	}
	return []string{
		lacksSendErrors,
		lacksICMP,
		lacksWindowProbes,
		givesEnabled,
		givesRST,
	}
}
