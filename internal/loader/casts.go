// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// WithoutCasts replaces every call of bpf_rdonly_cast (bpf/read.h) by r0 = 0.
// While direct_reads is 0 none of them is ever reached, but the verifier looks
// at calls of kernel functions before it removes dead code
// (add_subprog_and_kfunc), and refuses them where the JIT compiler is off.
func WithoutCasts(spec *ebpf.CollectionSpec) {
	for _, p := range spec.Programs {
		for i := range p.Instructions {
			if p.Instructions[i].IsKfuncCall() {
				p.Instructions[i] = asm.Mov.Imm(asm.R0, 0)
			}
		}
	}
}
