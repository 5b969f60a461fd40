// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"
	"slices"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// pidNamespace is the inode number of this process's pid namespace
// (ns.inum), 0 where /proc does not tell.
func pidNamespace() uint32 {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/ns/pid", &st); err != nil {
		return 0
	}
	return uint32(st.Ino)
}

// kernelTypes reads the kernel's BTF, or that of the file the user names.
func kernelTypes(file string) (*btf.Spec, error) {
	if file != "" {
		return TypesFrom(file)
	}
	spec, err := KernelBTF().Kernel()
	if err != nil {
		return nil, unsupported("read the kernel's BTF", err,
			"the kernel needs CONFIG_DEBUG_INFO_BTF=y, or name a BTF file for it with --btf")
	}
	return spec, nil
}

// resetReasonParam is the place (1 is the first) of tcp_send_active_reset's
// parameter named reason, 0 where there is none.
func resetReasonParam(types *btf.Spec) (uint8, error) {
	var fn *btf.Func
	if err := types.TypeByName("tcp_send_active_reset", &fn); err != nil {
		return 0, unsupported("find tcp_send_active_reset in the kernel's BTF", err, "")
	}
	proto, ok := fn.Type.(*btf.FuncProto)
	if !ok {
		return 0, fmt.Errorf("BTF of tcp_send_active_reset: want a prototype, found %T", fn.Type)
	}
	for i, p := range proto.Params {
		if p.Name == "reason" {
			return uint8(i + 1), nil
		}
	}
	return 0, nil
}

// parameters is how many parameters a kernel function, or a tracepoint's
// function (btf_trace_NAME), has; 0 where there is none of that name.
func parameters(types *btf.Spec, name string) int {
	var fn *btf.Func
	if types.TypeByName(name, &fn) == nil {
		if proto, ok := fn.Type.(*btf.FuncProto); ok {
			return len(proto.Params)
		}
	}
	return tracepointParameters(types, name)
}

// tracepointParameters is parameters of a tracepoint.
func tracepointParameters(types *btf.Spec, name string) int {
	var def *btf.Typedef
	if types.TypeByName("btf_trace_"+name, &def) == nil {
		if ptr, ok := btf.UnderlyingType(def).(*btf.Pointer); ok {
			if proto, ok := ptr.Target.(*btf.FuncProto); ok {
				return len(proto.Params) - 1 // the first one is the tracer's own
			}
		}
	}
	return 0
}

// dropParameters is how many parameters tracepoint kfree_skb has. (There may be a
// function of that name, too.)
func dropParameters(types *btf.Spec) int {
	n := tracepointParameters(types, "kfree_skb")
	if n == 0 {
		return dropBare
	}
	return n
}

// hasSafeAllocation says whether hash maps may allocate in tracing programs
// (kernel/bpf/memalloc.c, since 6.1). Before, the kernel warns about it.
func hasSafeAllocation(types *btf.Spec) bool {
	var s *btf.Struct
	return types.TypeByName("bpf_mem_alloc", &s) == nil
}

// isRealTime says whether the kernel is built with PREEMPT_RT, where a spinlock_t
// is a sleeping lock (include/linux/spinlock_types.h). There hash maps that
// allocate on demand run dry in a burst: the allocator's stock is refilled by an
// irq_work, which PREEMPT_RT leaves to a thread.
func isRealTime(types *btf.Spec) bool {
	var s *btf.Struct
	if types.TypeByName("spinlock", &s) != nil {
		return false
	}
	return slices.ContainsFunc(s.Members, func(m btf.Member) bool {
		inner, ok := btf.UnderlyingType(m.Type).(*btf.Struct)
		return ok && inner.Name == "rt_mutex_base"
	})
}

// hasReadOnlyCast says whether programs may take any address for a kernel
// struct's (kernel/bpf/helpers.c, bpf_rdonly_cast, since 6.2). types has to be
// the kernel's own BTF: the cast is by its type ids.
func hasReadOnlyCast(types *btf.Spec) bool {
	var fn *btf.Func
	return types.TypeByName("bpf_rdonly_cast", &fn) == nil
}
