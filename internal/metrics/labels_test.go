// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"testing"

	"katrace/internal/conn"
)

// TestNameOf: what an owner is called by.
func TestNameOf(t *testing.T) {
	const uid = "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"
	const cgroup = "/kubepods.slice/kubepods-pod0b9e.slice/cri-containerd-3f2a.scope"
	for _, tt := range []struct {
		name                 string
		s                    conn.State
		comm, unit, workload string
	}{
		{"a pod", conn.State{Owner: conn.Owner{Process: conn.Process{PID: 7, Comm: "nginx"}, Cgroup: cgroup, Pod: uid, PodNamespace: "shop", PodName: "cart-7d9f8b6c5-x2x4k"}},
			"nginx", "cri-containerd-3f2a.scope", "shop/cart"},
		{"a pod without a name", conn.State{Owner: conn.Owner{Cgroup: cgroup, Pod: uid}}, notKnown, "cri-containerd-3f2a.scope", notKnown},
		{"a service", conn.State{Owner: conn.Owner{Process: conn.Process{PID: 7, Comm: "ssh\x1b"}, Cgroup: "/system.slice/ssh.service"}}, "ssh?", "ssh.service", "ssh.service"},
		{"a program of that name", conn.State{Owner: conn.Owner{Process: conn.Process{PID: 7, Comm: "kernel"}}}, "kernel (program)", notKnown, notKnown},
		{"one that is called as what is not known", conn.State{Owner: conn.Owner{Process: conn.Process{PID: 7, Comm: "~unknown"}, Cgroup: "/user.slice/~other"}}, "~~unknown", "~~other", "~~other"},
		{"one that is called so", conn.State{Owner: conn.Owner{Process: conn.Process{PID: 7, Comm: "~~unknown"}, Cgroup: "/~~other"}}, "~~~unknown", "~~~other", "~~~other"},
		{"a program without a name", conn.State{Owner: conn.Owner{Process: conn.Process{PID: 7}}}, "(program)", notKnown, notKnown},
		{"the kernel", conn.State{Owner: conn.Owner{HeldBy: conn.HeldByKernel}}, "kernel", notKnown, notKnown},
		{"nobody", conn.State{}, notKnown, notKnown, notKnown},
	} {
		for by, want := range map[By]string{ByComm: tt.comm, ByUnit: tt.unit, ByWorkload: tt.workload} {
			if got := nameOf(&tt.s, by); got != want {
				t.Errorf("%s by %s: %q, want %q", tt.name, by, got, want)
			}
		}
	}
}
