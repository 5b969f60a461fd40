// SPDX-License-Identifier: BSD-2-Clause

package containers

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"katrace/internal/events"
	"katrace/test/podman"
)

const (
	podUID    = "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"
	staticUID = "33d561edd3ae8ef21980288cef77ae8b"
)

// podLogs is a directory as the kubelet has it.
func podLogs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"shop_cart-7d9f8b6c5-x2x4k_" + podUID, "kube-system_etcd-node-1_" + staticUID, "\x1b[2J_x_" + podUID} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestContainers: of a real container's connection the stream and the list, both
// ways, name its process, cgroup, id and name, and its pod where it is in one.
func TestContainers(t *testing.T) {
	root, rootless := podman.Root(), podman.Rootless(t)
	root.Import(t, image(t))
	rootless.Import(t, image(t))
	pods := podLogs(t)
	for _, tt := range []struct {
		name, says   string // what its own network and cgroup are
		e            *podman.Engine
		flags        []string
		pod, podName string
		workload     string
	}{
		{name: "host-network", e: root, flags: []string{"--network", "host"}},
		{name: "own-network", e: root, flags: []string{"--network", "none"}},
		{name: "in-a-pod", e: root, flags: []string{"--network", "none", "--cgroup-parent", "/kubepods/burstable/pod" + podUID},
			pod: podUID, podName: "shop/cart-7d9f8b6c5-x2x4k", workload: "cart"},
		{name: "in-a-static-pod", e: root, flags: []string{"--network", "host", "--cgroup-parent", "/kubepods/pod" + staticUID},
			pod: staticUID, podName: "kube-system/etcd-node-1", workload: "etcd"},
		{name: "rootless-host-network", e: rootless, flags: []string{"--network", "host"}},
		{name: "rootless-own-network", e: rootless, flags: []string{"--network", "none"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, port := tt.e.StartHolder(t, tt.name, false, tt.flags...)
			want := socket{Cgroup: c.Cgroup, Container: c.ID, ContainerName: tt.name, Pod: tt.pod, Workload: tt.workload}
			if tt.workload == "etcd" {
				want.Workload = "etcd-node-1" // the list has no host's name
			}
			want.PodNamespace, want.PodName, _ = strings.Cut(tt.podName, "/")
			want.Process.PID, want.Process.Comm = c.PID, podman.HoldComm
			for _, method := range []string{"auto", "netlink"} {
				got, ok := list(t, "--method", method, "--names", "--pods", pods, "--comm", podman.HoldComm)[port]
				got.Local.Port, got.Remote.Port = 0, 0
				if !ok || got != want {
					t.Errorf("list --method %s: got %+v, want %+v", method, got, want)
				}
			}
			filters := []string{"--container=" + tt.name}
			if tt.podName != "" {
				filters = append(filters, "--pod="+tt.podName)
			}
			for _, filter := range filters {
				got := list(t, "--names", "--pods", pods, filter)
				if got[port].Process.PID != c.PID {
					t.Errorf("list %s: %+v", filter, got)
				}
				for _, s := range got {
					if s.Container != c.ID {
						t.Errorf("list %s shows %+v", filter, s)
					}
				}
			}
			s := startStream(t, "--names", "--pods", pods, "--host", "node-1", filters[len(filters)-1])
			podman.Await(t, "an event that names it", func() bool {
				return s.find(func(e *events.Event) bool {
					return e.Local.Port() == port && e.Process.PID == c.PID && e.Process.Comm == podman.HoldComm && e.Cgroup == c.Cgroup && e.Container == c.ID &&
						e.ContainerName == tt.name && e.Pod == tt.pod && e.PodNamespace == want.PodNamespace && e.PodName == want.PodName && e.Workload() == tt.workload
				})
			})
			if s.find(func(e *events.Event) bool { return e.Container != c.ID && e.Local.IsValid() }) {
				t.Errorf("%q let an event of another container pass", filters)
			}
		})
	}
}

// TestPaused: a paused container's connection is its own all the same; of one that is
// killed the end names it.
func TestPaused(t *testing.T) {
	root := podman.Root()
	root.Import(t, image(t))
	c, port := root.StartHolder(t, "paused", false, "--network", "host")
	s := startStream(t, "--names", "--all", "--container", c.ID)
	c.Do(t, "pause")
	if got := list(t, "--names", "--container", "paused")[port]; got.Container != c.ID || got.Process.PID != c.PID {
		t.Errorf("while it is paused: %+v", got)
	}
	c.Do(t, "unpause")
	named := func(kind events.Kind) func() bool {
		return func() bool {
			return s.find(func(e *events.Event) bool {
				return e.Kind == kind && e.Local.Port() == port && e.ContainerName == "paused" && e.Process.PID == c.PID
			})
		}
	}
	podman.Await(t, "a probe", named(events.KindProbe))
	c.Do(t, "kill")
	podman.Await(t, "the end", named(events.KindClosed))
}
