// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"bufio"
	"encoding/binary"
	"fmt"
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
		_ = cgroup2Mounts(text)
		// Any name of a mount point, as the kernel would write it.
		if at := "/" + strings.ReplaceAll(text, "\x00", ""); strings.TrimSpace(at) == at {
			line := "30 25 0:26 / " + escape.Replace(at) + " rw - cgroup2 cgroup2 rw\n"
			if got := cgroup2Mounts(line); len(got) != 1 || got[0].point != at {
				t.Fatalf("%q is read as %q, want %q", line, got, at)
			}
		}
	})
}

// What kernels show of an io_uring that holds a TCP socket and /dev/null.
const (
	userFiles = "SqThread:\t-1\nUserFiles:\t3\n    1: socket:[49218]\n    2: /dev/null\nUserBufs:\t1\n    0: socket:[7]\n"
	// before 6.14
	userFilesNames = "SqThread:\t-1\nUserFiles:\t3\n    0: <none>\n    1: TCP\n    2: null\nUserBufs:\t0\nPollList:\n"
	procNetTCP     = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 39464 1 0000000000000000 100 0 0 10 0\n" +
		"   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 39465 1 0000000000000000 100 0 0 10 0\n" +
		"   2: 0100007F:1F41 0100007F:86B2 01 00000000:00000000 00:00000000 00000000     0        0 39466 1 0000000000000000 100 0 0 10 0\n" +
		"   3: 0100007F:1F42 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 39467 1 0000000000000000 100 0 0 10 0\n"
	procNetTCP6 = "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		"   0: 000080FE000000000000000001000000:1F40 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 1 0 100 0 0 10 0\n"
)

func TestProcText(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("the text is a little-endian machine's")
	}
	read := func(text string) (said string) {
		eachListener(bufio.NewReader(strings.NewReader(text)), func(s Listening) { said += fmt.Sprint(s.Local, " ", s.Inode, "; ") })
		return said
	}
	files := func(text string) (said string) {
		parseUserFiles([]byte(text), func(inode uint64) bool { said += fmt.Sprint(inode, "; "); return true })
		return said
	}
	for want, got := range map[string]string{
		"127.0.0.1:8000 39464; 0.0.0.0:80 39465; ": read(procNetTCP),
		"[fe80::1]:8000 5; ":                       read(procNetTCP6),
		"49218; ":                                  files(userFiles),
		"":                                         files(userFilesNames),
	} {
		if got != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
}

// FuzzListeners: any /proc/net/tcp.
func FuzzListeners(f *testing.F) {
	f.Add(procNetTCP)
	f.Add(procNetTCP6)
	f.Fuzz(func(t *testing.T, text string) {
		eachListener(bufio.NewReader(strings.NewReader(text)), func(s Listening) {
			if !s.Local.IsValid() || s.Inode == 0 {
				t.Fatalf("%q is read as %+v", text, s)
			}
		})
	})
}

// FuzzDirect: any fdinfo of an io_uring. What is found stands there.
func FuzzDirect(f *testing.F) {
	f.Add(userFiles)
	f.Add(userFilesNames)
	f.Fuzz(func(t *testing.T, text string) {
		parseUserFiles([]byte(text), func(inode uint64) bool {
			if !strings.Contains(text, "socket:[") || inode == 0 {
				t.Fatalf("%q is read as %d", text, inode)
			}
			return true
		})
	})
}
