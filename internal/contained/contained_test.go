// SPDX-License-Identifier: BSD-2-Clause

package contained

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const insideEnv = "KATRACE_TEST_CONTAINED"

// TestNamespaces: a process in a namespace of its own notices, and is advised
// accordingly. What this test itself is in shows by its own namespaces' numbers.
func TestNamespaces(t *testing.T) {
	if os.Getenv(insideEnv) != "" {
		for what, is := range map[string]bool{"users": HostUsers(), "pids": HostPIDs(), "cgroups": HostCgroups(), "contained": Is()} {
			if is {
				_, _ = os.Stdout.WriteString(what + "\n")
			}
		}
		_, _ = os.Stdout.WriteString(Remedy() + "\n")
		return
	}
	if os.Geteuid() != 0 || !HostUsers() || !HostPIDs() || !HostCgroups() {
		t.Skip("needs root, and a host")
	}
	for _, tt := range []struct {
		name    string
		flags   uintptr
		missing string
		remedy  string
	}{
		{"pid", unix.CLONE_NEWPID, "pids", "--cap-add"},
		{"cgroup", unix.CLONE_NEWCGROUP, "cgroups", "--cap-add"},
		{"user", unix.CLONE_NEWUSER, "users", "the host's root"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run", "^TestNamespaces$")
			cmd.Env = append(os.Environ(), insideEnv+"=1")
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: tt.flags}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			lines := strings.Split(string(out), "\n")
			for _, kind := range []string{"users", "pids", "cgroups"} {
				if said := contains(lines, kind); said != (kind != tt.missing) {
					t.Errorf("%s are the host's: %v", kind, said)
				}
			}
			if !contains(lines, "contained") || !strings.Contains(string(out), tt.remedy) {
				t.Errorf("got %s", out)
			}
		})
	}
}

func contains(lines []string, want string) bool {
	for _, line := range lines {
		if line == want {
			return true
		}
	}
	return false
}

func TestRemedy(t *testing.T) {
	if got := remedy(false, true); got != "try sudo" {
		t.Errorf("on a host: %q", got)
	}
}
