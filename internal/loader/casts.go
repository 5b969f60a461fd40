// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// LoadReading loads programs that read kernel structs by READ (bpf/read.h): by loads where
// the kernel has bpf_rdonly_cast; or else by calls, but for what a program of fentry or
// fexit knows the type of. slow is why the kernel refused the former. types are the
// kernel's, read from the file btfFile unless that is "".
func LoadReading(spec *ebpf.CollectionSpec, btfFile string, types *btf.Spec) (coll *ebpf.Collection, slow, err error) {
	opts := ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: types}, Cache: KernelBTF()}
	if btfFile == "" && hasReadOnlyCast(types) {
		// Without the JIT compiler no program may call a kernel function.
		if coll, slow = loadDirect(spec, opts); slow == nil {
			return coll, nil, nil
		}
	}
	withoutCasts(spec)
	coll, err = ebpf.NewCollectionWithOptions(spec, opts)
	return coll, slow, err
}

// loadDirect loads the programs so that they read by loads.
func loadDirect(spec *ebpf.CollectionSpec, opts ebpf.CollectionOptions) (*ebpf.Collection, error) {
	spec = spec.Copy()
	if err := spec.Variables[katraceVarDirectReads].Set(b2u(true)); err != nil {
		return nil, err
	}
	return ebpf.NewCollectionWithOptions(spec, opts)
}

// withoutCasts replaces every call of bpf_rdonly_cast (bpf/read.h) by r0 = 0.
// While direct_reads is 0 none of them is ever reached, but the verifier looks
// at calls of kernel functions before it removes dead code
// (add_subprog_and_kfunc), and refuses them where the JIT compiler is off.
func withoutCasts(spec *ebpf.CollectionSpec) {
	for _, p := range spec.Programs {
		for i := range p.Instructions {
			if p.Instructions[i].IsKfuncCall() {
				p.Instructions[i] = asm.Mov.Imm(asm.R0, 0)
			}
		}
	}
}
