// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// kernelWith makes the BTF of a kernel with these types.
func kernelWith(t *testing.T, types ...btf.Type) *btf.Spec {
	t.Helper()
	b, err := btf.NewBuilder(types, nil)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := b.Spec()
	if err != nil {
		t.Fatal(err)
	}
	return spec
}

// TestResetReasonParam: tcp_send_active_reset() got its reason in 6.10, after
// the priority.
func TestResetReasonParam(t *testing.T) {
	integer := &btf.Int{Name: "int", Size: 4, Encoding: btf.Signed}
	sock := &btf.Pointer{Target: &btf.Struct{Name: "sock", Size: 8}}
	reason := &btf.Enum{Name: "sk_rst_reason", Size: 4, Values: []btf.EnumValue{{Name: "SK_RST_REASON_NOT_SPECIFIED"}}}
	function := func(name string, params ...btf.FuncParam) btf.Type {
		return &btf.Func{Name: name, Type: &btf.FuncProto{Return: (*btf.Void)(nil), Params: params}, Linkage: btf.GlobalFunc}
	}
	sk, priority := btf.FuncParam{Name: "sk", Type: sock}, btf.FuncParam{Name: "priority", Type: integer}
	for _, tt := range []struct {
		name string
		spec *btf.Spec
		want uint8
	}{
		{"before 6.10", kernelWith(t, function("tcp_send_active_reset", sk, priority)), 0},
		{"since 6.10", kernelWith(t, function("tcp_send_active_reset", sk, priority, btf.FuncParam{Name: "reason", Type: reason})), 3},
	} {
		if got, err := resetReasonParam(tt.spec); got != tt.want || err != nil {
			t.Errorf("%s: %d, %v; want %d", tt.name, got, err, tt.want)
		}
	}
	if _, err := resetReasonParam(kernelWith(t, function("tcp_connect", sk))); !errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "tcp_send_active_reset") {
		t.Errorf("without the function: %v, want it named, and not supported", err)
	}
}

func TestHasSafeAllocation(t *testing.T) {
	old, recent := &btf.Struct{Name: "bpf_map", Size: 8}, &btf.Struct{Name: "bpf_mem_alloc", Size: 8}
	if hasSafeAllocation(kernelWith(t, old)) || !hasSafeAllocation(kernelWith(t, old, recent)) {
		t.Error("want it where the kernel has struct bpf_mem_alloc, and nowhere else")
	}
}

func TestIsRealTime(t *testing.T) {
	sleeping := &btf.Struct{Name: "rt_mutex_base", Size: 8}
	raw := &btf.Struct{Name: "raw_spinlock", Size: 8}
	lock := func(inner btf.Type) btf.Type {
		return &btf.Struct{Name: "spinlock", Size: 8, Members: []btf.Member{{Name: "lock", Type: inner}}}
	}
	if isRealTime(kernelWith(t, lock(raw))) || !isRealTime(kernelWith(t, lock(sleeping))) {
		t.Error("want it where a spinlock is a sleeping lock, and nowhere else")
	}
}

// TestKernelTypesFile: a file that is none is named.
func TestKernelTypesFile(t *testing.T) {
	if _, err := KernelTypes("kernel_test.go"); err == nil || !strings.Contains(err.Error(), `"kernel_test.go"`) {
		t.Errorf("%v, want an error that names the file", err)
	}
}

func TestUnsupported(t *testing.T) {
	err := unsupported("attach kprobe tcp_write_wakeup", fmt.Errorf("perf event: %w", unix.EPERM), "")
	if !errors.Is(err, ErrUnsupported) || !errors.Is(err, unix.EPERM) {
		t.Errorf("%v: want it to be both ErrUnsupported and EPERM", err)
	}
	if s := err.Error(); !strings.HasPrefix(s, "attach kprobe tcp_write_wakeup: operation not permitted (") {
		t.Errorf("%q: want what was tried, what the kernel said and a hint", s)
	}
	if s := unsupported("x", unix.ENOENT, "").Error(); s != "x: no such file or directory" {
		t.Errorf("%q: want no hint where there is none", s)
	}
	if _, ok := VerifierLog(err); ok {
		t.Error("a permission has no verifier's log")
	}
}
