// SPDX-License-Identifier: BSD-2-Clause

package conn

import "testing"

// TestOwnerUnknown: an event is left out for want of its owner where nothing
// that is known of it speaks against it.
func TestOwnerUnknown(t *testing.T) {
	shop := Process{PID: 7, Comm: "shop"}
	in := func(container, name string) Owner {
		return Owner{Process: shop, Cgroup: "/c", Container: container, ContainerName: name}
	}
	for _, c := range []struct {
		what   string
		filter OwnerFilter
		owner  Owner
		want   bool
	}{
		{"no filter", OwnerFilter{}, Owner{}, false},
		{"name", OwnerFilter{Comms: []string{"shop"}}, Owner{}, true},
		{"pid", OwnerFilter{PIDs: []int{7}}, Owner{Cgroup: "/a"}, true},
		{"another's", OwnerFilter{PIDs: []int{7}}, Owner{Process: Process{PID: 8, Comm: "x"}}, false},
		{"wanted", OwnerFilter{PIDs: []int{7}}, Owner{Process: shop}, false},
		{"the kernel's", OwnerFilter{Comms: []string{"shop"}}, Owner{HeldBy: HeldByKernel}, false},
		{"its listener is not known", OwnerFilter{Comms: []string{"shop"}}, Owner{HeldBy: HeldByAcceptQueue}, true},
		{"cgroup", OwnerFilter{Cgroups: []string{"/a"}}, Owner{Process: shop}, true},
		{"cgroup v1", OwnerFilter{Cgroups: []string{"/a"}}, Owner{Cgroup: "/"}, true},
		{"the root", OwnerFilter{Cgroups: []string{"/a"}}, Owner{Cgroup: "/", Process: shop}, false},
		{"another cgroup", OwnerFilter{Cgroups: []string{"/a"}}, Owner{Cgroup: "/b"}, false},
		{"no container", OwnerFilter{Containers: []string{"3f"}}, Owner{Cgroup: "/b"}, false},
		{"its container has no name yet", OwnerFilter{Containers: []string{"web"}}, in("3f2a", ""), true},
		{"that of Amazon ECS has no name yet", OwnerFilter{Containers: []string{"web"}}, in("3f2a-12", ""), true},
		{"its container has another name", OwnerFilter{Containers: []string{"web"}}, in("3f2a", "db"), false},
		{"its container's id is its name", OwnerFilter{Containers: []string{"web"}}, in("box", ""), false},
		{"the beginning of another id", OwnerFilter{Containers: []string{"beef", "cafe-1"}}, in("3f2a", ""), false},
		{"another process, whatever the name", OwnerFilter{Containers: []string{"web"}, PIDs: []int{9}}, in("3f2a", ""), false},
		{"another cgroup, whatever the name", OwnerFilter{Comms: []string{"shop"}, Cgroups: []string{"/a"}}, Owner{Cgroup: "/b"}, false},
		{"the cgroup, whatever the name", OwnerFilter{Comms: []string{"shop"}, Cgroups: []string{"/a"}}, Owner{Cgroup: "/a/b"}, true},
	} {
		if got := c.filter.Unknown(&c.owner, true); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
		if c.want && c.filter.Match(&c.owner) {
			t.Errorf("%s: matches", c.what)
		}
	}
	unnamed := in("3f2a", "")
	if f := (OwnerFilter{Containers: []string{"web"}}); f.Unknown(&unnamed, false) {
		t.Error("a name that is not looked for is waited for")
	}
}
