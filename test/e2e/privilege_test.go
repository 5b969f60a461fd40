// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/loader"
	"katrace/test/childtest"
)

// capNames are the capabilities that docs/privileges.md speaks of.
var capNames = map[int]string{
	unix.CAP_BPF: "CAP_BPF", unix.CAP_PERFMON: "CAP_PERFMON", unix.CAP_SYSLOG: "CAP_SYSLOG", unix.CAP_SYS_ADMIN: "CAP_SYS_ADMIN",
	unix.CAP_SYS_PTRACE: "CAP_SYS_PTRACE", unix.CAP_DAC_READ_SEARCH: "CAP_DAC_READ_SEARCH", unix.CAP_SYS_RESOURCE: "CAP_SYS_RESOURCE",
}

// nobody is a user that is not root, with these capabilities and no others.
func nobody(caps ...int) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Pdeathsig: syscall.SIGKILL,
	}
	for _, c := range caps {
		attr.AmbientCaps = append(attr.AmbientCaps, uintptr(c))
	}
	return attr
}

// nobodysProgram is katrace, as nobody may run it: by a descriptor, for its directory may be closed to others.
func nobodysProgram(t *testing.T, attr *syscall.SysProcAttr, args ...string) *exec.Cmd {
	t.Helper()
	f, err := os.Open(*program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	cmd := exec.Command("/proc/self/fd/3", args...)
	cmd.ExtraFiles, cmd.SysProcAttr = []*os.File{f}, attr
	return cmd
}

// finish runs cmd to its end and returns its exit status and what it said.
func finish(t *testing.T, cmd *exec.Cmd) (status int, stderr string) {
	t.Helper()
	var errs childtest.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(2*time.Minute, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	_ = cmd.Wait() // its status is what is asked for
	return cmd.ProcessState.ExitCode(), errs.String()
}

// needs are what docs/privileges.md says that attaching by a backend needs here.
func needs(t *testing.T, by loader.Backend) []int {
	t.Helper()
	caps := []int{unix.CAP_BPF, unix.CAP_PERFMON}
	if by == loader.Tracepoint {
		caps = append(caps, unix.CAP_SYSLOG)
	}
	if !kernelAtLeast(t, 5, 11) {
		caps = append(caps, unix.CAP_SYS_RESOURCE)
	}
	return caps
}

func kernelAtLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		t.Fatal(err)
	}
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(uts.Release[:]), "%d.%d", &a, &b); err != nil {
		t.Fatal(err)
	}
	return a > major || a == major && b >= minor
}

// paranoid sets kernel.perf_event_paranoid for the rest of the test, in a guest.
func paranoid(t *testing.T, level int) {
	t.Helper()
	const path = "/proc/sys/kernel/perf_event_paranoid"
	was, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(was)) == strconv.Itoa(level) {
		return
	}
	if !emulated() {
		t.Skipf("kernel.perf_event_paranoid is %s, and is set in test/vm's guests only", was)
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(level)), 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile(path, was, 0) })
}

// lowMemlock gives the test, and what it starts, the usual RLIMIT_MEMLOCK back:
// a Tracer in this process has raised it.
func lowMemlock(t *testing.T) {
	t.Helper()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &was); err != nil {
		t.Fatal(err)
	}
	low := unix.Rlimit{Cur: min(was.Cur, 64<<10), Max: min(was.Max, 64<<10)}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &low); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &was) })
}

// TestPrivileges: a user who is not root traces with exactly the capabilities
// that docs/privileges.md lists. Without any one of them katrace ends with
// status 3 and names that one, and no other.
func TestPrivileges(t *testing.T) {
	for _, by := range backends() {
		t.Run(string(by), func(t *testing.T) {
			paranoid(t, 2)
			lowMemlock(t)
			caps := needs(t, by)
			args := []string{"-o", "json", "--attach", string(by), "--duration", "50ms"}
			if status, said := finish(t, nobodysProgram(t, nobody(caps...), args...)); status != 0 || !strings.Contains(said, "attached by "+string(by)) {
				t.Errorf("with %v: status %d, it said %s", names(caps), status, said)
			}
			for i, c := range caps {
				rest := slices.Delete(slices.Clone(caps), i, i+1)
				status, said := finish(t, nobodysProgram(t, nobody(rest...), args...))
				if status != 3 || !strings.Contains(said, "this process lacks "+capNames[c]+"; try sudo") {
					t.Errorf("without %s: status %d, it said %s", capNames[c], status, said)
				}
			}
		})
	}
}

// TestPrivilegesParanoid: Debian's kernels ask for CAP_SYS_ADMIN for kprobes
// where perf_event_paranoid is 3. The first hooks are attached by then; the
// error names the one that is refused, and the way out.
func TestPrivilegesParanoid(t *testing.T) {
	if !emulated() || !slices.Contains(backends(), loader.Kprobe) {
		t.Skip("needs kprobes, on a kernel of Debian's")
	}
	paranoid(t, 3)
	args := []string{"-o", "json", "--attach", "kprobe", "--duration", "50ms"}
	status, said := finish(t, nobodysProgram(t, nobody(needs(t, loader.Kprobe)...), args...))
	first := "kprobe" // fexit comes before it, and is not refused
	if runtime.GOARCH != "amd64" {
		first = "kretprobe"
	}
	want := "katrace: kprobe: attach " + first + " tcp_write_wakeup: operation not permitted (kernel.perf_event_paranoid is 3: this process lacks CAP_SYS_ADMIN; try sudo, or sysctl kernel.perf_event_paranoid=2)"
	if !strings.Contains(said, want) || status != 3 {
		t.Errorf("status %d, it said %s, want %s", status, said, want)
	}
}

func names(caps []int) (s []string) {
	for _, c := range caps {
		s = append(s, capNames[c])
	}
	return s
}

// TestPrivilegesDropped: once attached, no thread has more capabilities than
// finding owners takes, nor can get any; and all is told as before, the owner
// of another user's socket included. As root, and as somebody who was given
// more than is needed.
func TestPrivilegesDropped(t *testing.T) {
	kept := uint64(1<<unix.CAP_DAC_READ_SEARCH | 1<<unix.CAP_SYS_PTRACE)
	if !kernelAtLeast(t, 5, 19) {
		kept |= 1 << unix.CAP_BPF // bpf(2) as a whole needs it there
	}
	by := anyBackend()
	l := newLoad(t, 20, true, 127)
	for _, who := range []struct {
		name string
		attr *syscall.SysProcAttr
		all  bool // of the bounding set as well
	}{
		{"root", &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}, true},
		{"nobody", nobody(append(needs(t, by), unix.CAP_SYS_ADMIN, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH, unix.CAP_NET_ADMIN)...), false},
	} {
		cmd := nobodysProgram(t, who.attr, "-o", "json", "--attach", string(by), l.only())
		r := follow(t, cmd)
		r.attached()
		before := l.counted()
		l.begin()
		time.Sleep(2500 * time.Millisecond)
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", cmd.Process.Pid))
		if err != nil || len(threads) < 2 {
			t.Fatalf("%d threads, %v", len(threads), err)
		}
		for _, file := range threads {
			want := map[string]uint64{"CapInh": 0, "CapPrm": kept, "CapEff": kept, "CapAmb": 0, "NoNewPrivs": 1}
			if who.all {
				want["CapBnd"] = kept
			}
			for key, value := range want {
				if got := statusField(t, file, key); got != value {
					t.Errorf("%s: %s: %s is %#x, want %#x", who.name, file, key, got, value)
				}
			}
		}
		counted := l.end() - before
		evs := r.stop()
		if got := tallyOf(evs); got.missing(l, by, counted) != 0 {
			t.Errorf("%s: %+v, the kernel counts %d", who.name, got, counted)
		}
		if evs = ofConns(evs); len(evs) == 0 || evs[len(evs)-1].Process != self(t) {
			t.Errorf("%s: the sockets' owner is not known: %d events", who.name, len(evs))
		}
	}
}

func statusField(t *testing.T, file, key string) uint64 {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			n, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("%s has no %s", file, key)
	return 0
}

// TestPrivilegesOwners: who holds another user's socket is told with what
// attaching takes, and no more.
func TestPrivilegesOwners(t *testing.T) {
	nativeOnly(t)
	l, by := newLoad(t, 5, true, 127), anyBackend()
	r := follow(t, nobodysProgram(t, nobody(needs(t, by)...), "-o", "json", "--attach", string(by), l.only()))
	r.attached()
	l.begin()
	time.Sleep(2500 * time.Millisecond)
	if evs := ofConns(r.stop()); len(evs) == 0 || evs[len(evs)-1].Process != self(t) {
		t.Errorf("the owner is not %+v: %+v", self(t), evs)
	}
}

// TestPrivilegesFile: capabilities of the file (setcap) serve as well as those of
// the user who runs it.
func TestPrivilegesFile(t *testing.T) {
	data, err := os.ReadFile(*program)
	if err != nil {
		t.Fatal(err)
	}
	// Not t.TempDir, whose parent is closed to others.
	dir, err := os.MkdirTemp(allowsFileCaps(t), "katrace-e2e-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, by := range backends() {
		t.Run(string(by), func(t *testing.T) {
			paranoid(t, 2)
			file := filepath.Join(dir, string(by))
			if err := os.WriteFile(file, data, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := unix.Setxattr(file, "security.capability", fileCaps(needs(t, by)), 0); err != nil {
				t.Skipf("no capabilities of files here: %v", err)
			}
			cmd := exec.Command(file, "-o", "json", "--attach", string(by), "--duration", "50ms")
			cmd.SysProcAttr = nobody()
			if status, said := finish(t, cmd); status != 0 {
				t.Errorf("status %d, it said %s", status, said)
			}
		})
	}
}

// allowsFileCaps is a directory where the kernel heeds them: not one that is
// mounted with nosuid, as /tmp often is.
func allowsFileCaps(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{os.TempDir(), "/var/tmp", "/"} {
		var st unix.Statfs_t
		if unix.Statfs(dir, &st) == nil && st.Flags&unix.ST_NOSUID == 0 {
			return dir
		}
	}
	t.Skip("every place to put a program is mounted with nosuid: the kernel heeds no capabilities of files there")
	return ""
}

// fileCaps is struct vfs_cap_data (include/uapi/linux/capability.h), effective.
func fileCaps(caps []int) []byte {
	const revision2, effective = 0x02000000, 1
	var permitted uint64
	for _, c := range caps {
		permitted |= 1 << c
	}
	var b []byte
	for _, word := range []uint32{revision2 | effective, uint32(permitted), 0, uint32(permitted >> 32), 0} {
		b = append(b, byte(word), byte(word>>8), byte(word>>16), byte(word>>24))
	}
	return b
}

// TestPrivilegesList: list, as somebody who may not, says what it leaves out, and
// names what another namespace takes.
func TestPrivilegesList(t *testing.T) {
	nativeOnly(t)
	l := newLoad(t, 1, true, 1)
	for _, tt := range []struct {
		args   string
		caps   []int
		status int
		say    string
	}{
		{"--all-netns", nil, 0, "left out: network namespaces of hidden processes (this process lacks CAP_SYS_PTRACE; try sudo)"},
		{l.only(), []int{unix.CAP_DAC_READ_SEARCH}, 3, "CAP_SYS_PTRACE; try sudo"},
		{l.only(), []int{unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH}, 3, "this process lacks CAP_SYS_ADMIN; try sudo"},
		{l.only() + " --method netlink", []int{unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH, unix.CAP_SYS_ADMIN}, 0, ""},
		{l.only() + " --method bpf", []int{unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH, unix.CAP_SYS_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON}, 0, ""},
		{l.only() + " --method bpf", []int{unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH, unix.CAP_PERFMON}, 3, "CAP_BPF"},
	} {
		cmd := nobodysProgram(t, nobody(tt.caps...), append([]string{"list", "-o", "json"}, strings.Fields(tt.args)...)...)
		if status, said := finish(t, cmd); status != tt.status || !strings.Contains(said, tt.say) {
			t.Errorf("list %s with %v: status %d, want %d; it said %q, want %q", tt.args, names(tt.caps), status, tt.status, said, tt.say)
		}
	}
}
