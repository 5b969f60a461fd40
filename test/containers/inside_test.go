// SPDX-License-Identifier: BSD-2-Clause

package containers

import (
	"fmt"
	"strings"
	"testing"

	"katrace/test/podman"
)

// TestInside: katrace in a container sees as much as it is let, says what it does not
// see, and never gives a path that is not the host's.
func TestInside(t *testing.T) {
	root := podman.Root()
	root.Import(t, image(t))
	held, port := root.StartHolder(t, "held", false, "--network", "host")
	list := []string{"/katrace", "list", "--comm", podman.HoldComm, "--state", "established", "-o", "json"}
	const noProcesses, noCgroups = "the host's processes", "the paths of cgroups"
	for _, tt := range []struct {
		name           string
		flags          []string
		command        []string
		cgroup, hidden string // what is seen of it, and what stderr says is not
		status         int
	}{
		{name: "privileged, in the host's namespaces", flags: []string{"--privileged", "--pid", "host", "--cgroupns", "host"},
			command: list, cgroup: held.Cgroup},
		{name: "with the host's processes and cgroups", flags: []string{"--privileged", "--pid", "host", "--cgroupns", "private", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:ro"},
			command: list, cgroup: held.Cgroup},
		{name: "with the host's processes", flags: []string{"--privileged", "--pid", "host", "--cgroupns", "private"},
			command: list, hidden: noCgroups},
		{name: "with the host's cgroups", flags: []string{"--privileged", "--cgroupns", "private", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:ro"},
			command: []string{"/katrace", "list", "--local-port", fmt.Sprint(port), "--state", "established", "-o", "json"}, cgroup: held.Cgroup, hidden: noProcesses},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, stderr, status := root.Run(t, append(tt.flags, "--network", "host"), tt.command...)
			if status != tt.status {
				t.Fatalf("status %d: %s", status, stderr)
			}
			got, ok := parseList(t, out)[port]
			if !ok || got.Cgroup != tt.cgroup {
				t.Errorf("got %+v, want the cgroup %q\n%s", got, tt.cgroup, stderr)
			}
			if got.Container != held.ID || (got.Process.PID == held.PID) != (tt.hidden != noProcesses) {
				t.Errorf("got %+v, want the process %d and the container %s", got, held.PID, held.ID)
			}
			for _, what := range []string{noProcesses, noCgroups} {
				if strings.Contains(stderr, what) != (what == tt.hidden) {
					t.Errorf("hidden: %q, and stderr says: %s", tt.hidden, stderr)
				}
			}
		})
	}
}

// TestAdviceInside: what a container refuses is not to be had by sudo.
func TestAdviceInside(t *testing.T) {
	root, rootless := podman.Root(), podman.Rootless(t)
	root.Import(t, image(t))
	rootless.Import(t, image(t))
	const stream, own = "/katrace", "seccomp=unconfined"
	caps := []string{"--cap-add", "BPF,PERFMON,SYSLOG,DAC_READ_SEARCH"}
	for _, tt := range []struct {
		name  string
		e     *podman.Engine
		flags []string
		want  string
	}{
		{"no capability", root, []string{"--security-opt", own}, "this process lacks CAP_BPF and CAP_PERFMON; start the container with more: --cap-add"},
		{"Podman's own filter", root, caps, "a seccomp filter"},
		{"rootless", rootless, append([]string{"--security-opt", own}, caps...), "user namespace"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, stderr, status := tt.e.Run(t, append(tt.flags, "--network", "none"), stream, "-o", "text", "--duration", "1s")
			if status != 3 || !strings.Contains(stderr, tt.want) || strings.Contains(stderr, "sudo") {
				t.Errorf("status %d, want 3 and %q without sudo: %s", status, tt.want, stderr)
			}
			if tt.want == "a seccomp filter" && !strings.Contains(stderr, "bpf(2)") {
				t.Errorf("which call is not said: %s", stderr)
			}
		})
	}
}
