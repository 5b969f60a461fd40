// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"strings"
	"testing"
)

// FuzzProcCgroup: the path is one that the text has, whole, and from the root.
func FuzzProcCgroup(f *testing.F) {
	f.Add("0::/system.slice/ssh.service\n")
	f.Add("5:pids:/docker/" + id64 + "\n1:name=systemd:/init.scope\n0::/\n")
	f.Add("0::/a:\x1b[2J\xff\u202e\n1::\n::/\n0:/x")
	f.Fuzz(func(t *testing.T, text string) {
		path := parseProcCgroup([]byte(text))
		if path == "" {
			return
		}
		if path[0] != '/' || !strings.Contains("\n"+text+"\n", ":"+path+"\n") {
			t.Fatalf("%q: %q", text, path)
		}
		if c := ParseContainer(path); c.ID != "" && !strings.Contains(path, c.ID) {
			t.Fatalf("%q: container %q", text, c.ID)
		}
	})
}

// FuzzMountinfo: the mount point is found escaped as the kernel escapes it
// (mangle_path: blank, tab, newline, backslash), or there is none.
func FuzzMountinfo(f *testing.F) {
	f.Add("30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n")
	f.Add("1 2 0:1 / /b\\040c\\134\\011\\012 rw - cgroup2 c rw\n")
	f.Add("1 2 0:1 / /b\\999\\04 rw - cgroup2 c rw")
	escape := strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`)
	f.Fuzz(func(t *testing.T, text string) {
		_ = cgroup2Mount(text)
		// Any name of a mount point, as the kernel would write it.
		if at := "/" + strings.ReplaceAll(text, "\x00", ""); strings.TrimSpace(at) == at {
			line := "30 25 0:26 / " + escape.Replace(at) + " rw - cgroup2 cgroup2 rw\n"
			if got := cgroup2Mount(line); got != at {
				t.Fatalf("%q is read as %q, want %q", line, got, at)
			}
		}
	})
}
