// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"katrace/test/childtest"

	"golang.org/x/sys/unix"
)

// limitEnv has this test's program lower its limit of open files, and then run
// the rest of its command line.
const limitEnv = "KATRACE_E2E_FILES"

func init() {
	text := os.Getenv(limitEnv)
	if text == "" {
		return
	}
	var n uint64
	_, err := fmt.Sscan(text, &n)
	if err == nil {
		err = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n})
	}
	if err == nil {
		err = syscall.Exec(os.Args[1], os.Args[1:], nil)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(125)
}

// TestFaultFiles: whatever is opened, loaded or attached, the descriptors may be
// used up by then. katrace says what it could not do and ends with status 1 (the
// kernel could do it), until there are enough: then it works.
func TestFaultFiles(t *testing.T) {
	nativeOnly(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]int{}
	for n := 8; ; n++ {
		if n == 100 {
			t.Fatal("katrace does not start with 100 descriptors")
		}
		cmd := exec.Command(self, *program, "-o", "json", "--attach", string(anyBackend()), "--duration", "20ms")
		cmd.Env = []string{fmt.Sprintf("%s=%d", limitEnv, n)}
		status, said := finish(t, cmd)
		if status == 0 {
			t.Logf("enough: %d", n)
			break
		}
		what := regexp.MustCompile(`(?s)too many open files.*`).ReplaceAllString(strings.TrimSpace(said), "too many open files")
		if says[what]++; status != 1 || !strings.HasPrefix(said, "katrace: ") || !strings.Contains(said, "too many open files") {
			t.Errorf("%d descriptors: status %d, it said %s", n, status, said)
		}
	}
	attach := false
	for what, times := range says {
		t.Logf("%d times: %s", times, what)
		attach = attach || strings.Contains(what, "attach raw tracepoint ")
	}
	if !attach {
		t.Error("never refused while attaching: this test sees nothing")
	}
}

// TestFaultDemoKilled: after kill -9 of the demo, in the midst of its cases,
// nothing is left: no namespace that anything refers to, no pin, no kprobe by
// name, no process of its own.
func TestFaultDemoKilled(t *testing.T) {
	nativeOnly(t)
	before := remains(t)
	cmd := command("demo", "-o", "json", "--attach", string(anyBackend()), "--case", "vanished,alive")
	var said childtest.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "the demo's first event", func() bool { return strings.Contains(said.String(), `"event":"probe"`) })
	during := netnsOf(t, cmd.Process.Pid)
	if len(during) < 3 {
		t.Errorf("the demo is in the namespaces %v: this test sees nothing", during)
	}
	signal(t, cmd, syscall.SIGKILL)
	_ = cmd.Wait() // killed
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	own := netnsOf(t, os.Getpid())
	for _, dir := range all {
		var pid int
		if _, err := fmt.Sscanf(dir, "/proc/%d", &pid); err != nil || pid == os.Getpid() {
			continue
		}
		for _, ns := range netnsOf(t, pid) {
			if slices.Contains(during, ns) && !slices.Contains(own, ns) {
				t.Errorf("%s still refers to %s", dir, ns)
			}
		}
	}
	for what := range remains(t) {
		if !before[what] {
			t.Errorf("left: %s", what)
		}
	}
}

// netnsOf lists the network namespaces that a process is in or has descriptors of.
func netnsOf(t *testing.T, pid int) (found []string) {
	t.Helper()
	for _, pattern := range []string{"/proc/%d/task/*/ns/net", "/proc/%d/fd/*"} {
		links, err := filepath.Glob(fmt.Sprintf(pattern, pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && strings.HasPrefix(to, "net:[") && !slices.Contains(found, to) {
				found = append(found, to)
			}
		}
	}
	return found
}

// remains lists what could stay behind: pins, mounts of namespaces, and kprobes
// that have a name.
func remains(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, dir := range []string{"/sys/fs/bpf", "/run/netns"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			found[path] = true
			return err
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"/proc/self/mountinfo", "/sys/kernel/tracing/kprobe_events"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // no kprobes here, or tracefs is not mounted
		}
		for line := range strings.Lines(string(text)) {
			if file != "/proc/self/mountinfo" || strings.Contains(line, " net:[") {
				found[file+": "+line] = true
			}
		}
	}
	return found
}

// TestFaultStdoutClosed: with stdout closed from the start nothing else takes
// its place, be it the ring or the log file.
func TestFaultStdoutClosed(t *testing.T) {
	nativeOnly(t)
	l := newLoad(t, 20, true, 127)
	log := filepath.Join(t.TempDir(), "log")
	shell := fmt.Sprintf("exec %s -o text --log-file %s --attach %s --duration 3s %s >&-", *program, log, anyBackend(), l.only())
	cmd := exec.Command("/bin/sh", "-c", shell)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // finish must not outlive the thread that started it
	defer runtime.UnlockOSThread()
	l.begin()
	status, said := finish(t, cmd)
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var st unix.Stat_t
	if err := unix.Stat(log, &st); err != nil || st.Mode&0o777 != 0o600 {
		t.Errorf("the log file's mode is %o, want 600; %v", st.Mode&0o777, err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		if !strings.HasPrefix(line, `{"v":1,`) || !strings.HasSuffix(line, "}") {
			t.Errorf("in the log file: %q", line)
		}
	}
	if len(lines) < 20 || status != 0 {
		t.Errorf("%d lines in the log file, status %d, it said %s", len(lines), status, said)
	}
}
