// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/testscript"
)

// asMain makes the test binary katrace itself, for tests that need to say how
// it is started.
const asMain = "KATRACE_TEST_AS_MAIN"

// asKatrace is katrace with these arguments, which ends with the test.
func asKatrace(args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), asMain+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

func TestMain(m *testing.M) {
	if os.Getenv(underFilter) != "" {
		mainUnderFilter()
	}
	if os.Getenv(asElsewhere) != "" {
		mainElsewhere()
		return
	}
	if os.Getenv(asSettable) != "" {
		mainSettable()
		return
	}
	if os.Getenv(asMain) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"katrace": main})
}

// TestScripts runs testdata/script: what a user types, and what katrace says.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status,
		},
	})
}

// status STATUS PROGRAM [ARG...] is exec, and holds the exit status against STATUS.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status STATUS PROGRAM [ARG...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got, err := 0, ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d; it says:\n%s%s", got, want, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
	}
}

// unprivileged is katrace as nobody, wherever this test runs as root.
func unprivileged(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	// By file descriptor: nobody need not reach the directory it is in.
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = self.Close() }()
	var out, errs strings.Builder
	cmd := exec.Command("/proc/self/fd/3", args...)
	cmd.ExtraFiles = []*os.File{self}
	cmd.Env = append(os.Environ(), asMain+"=1")
	cmd.Stdout, cmd.Stderr = &out, &errs
	if os.Geteuid() == 0 {
		const nobody = 65534
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// TestUnprivileged: what cannot be done without privileges ends with status 3,
// says why on stderr and what helps, and nothing on stdout.
func TestUnprivileged(t *testing.T) {
	for _, tt := range []struct {
		args string
		want []string
	}{
		{"-o text", []string{"no backend can be attached here", "kprobe: ", "fentry: ", "tracepoint: ", "this process lacks CAP_BPF and CAP_PERFMON", "'katrace doctor' says more"}},
		{"-o json --attach kprobe", []string{"katrace: kprobe: ", "operation not permitted (this process lacks CAP_BPF and CAP_PERFMON; try sudo)"}},
		{"--attach fentry", []string{"katrace: fentry: ", "try sudo"}},
		{"demo", []string{"not root (try sudo)"}},
		{"report --duration 1s", []string{"no backend can be attached here", "try sudo"}},
	} {
		out, errs, status := unprivileged(t, strings.Fields(tt.args)...)
		if status != exitUnsupported || out != "" {
			t.Errorf("%s: exit status %d, want %d; stdout %q, want none; stderr:\n%s", tt.args, status, exitUnsupported, out, errs)
		}
		for _, w := range tt.want {
			if !strings.Contains(errs, w) {
				t.Errorf("%s: does not say %q:\n%s", tt.args, w, errs)
			}
		}
	}
}

// TestRefusedWithCapability: where the kernel refuses a process that has the
// capability, here of its own user namespace only, its lack is not the reason.
func TestRefusedWithCapability(t *testing.T) {
	for _, tt := range []struct {
		args   string
		status int
	}{
		{"list --method netlink --all-netns", exitDone},
		{"list --method netlink --netns 1", exitUnsupported},
	} {
		var errs strings.Builder
		cmd := exec.Command("/proc/self/exe", strings.Fields(tt.args)...)
		cmd.Env = append(os.Environ(), asMain+"=1")
		cmd.Stderr = &errs
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER,
			UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
		}
		if err := cmd.Start(); err != nil {
			t.Skip(err) // not every system lets everybody make one
		}
		_ = cmd.Wait() // the status is looked at below
		if status := cmd.ProcessState.ExitCode(); status != tt.status {
			t.Errorf("%s: exit status %d, want %d", tt.args, status, tt.status)
		}
		if s := errs.String(); !strings.Contains(s, "refused even with CAP_SYS_PTRACE") || strings.Contains(s, "sudo") {
			t.Errorf("%s: says %q", tt.args, s)
		}
	}
}

// TestHostileArguments: what is quoted of the command line, a file's name above
// all, does nothing to the terminal.
func TestHostileArguments(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "a\x1b]0;x\a\u202e\n.json")
	if err := os.WriteFile(damaged, []byte("\x1b[2J\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"replay", "--speed", "0", damaged}, {"replay", damaged + "\x1b[2J"}, {"--\x1b[2J"}, {"\x1b[2J"}, {"--port", "\x9b2J"}, {"list", "--btf", "\x1bc"},
	} {
		var errs strings.Builder
		cmd := asKatrace(args...)
		cmd.Stderr = &errs
		_ = cmd.Run() // the status is not what this is about
		if errs.Len() == 0 {
			t.Errorf("%q: says nothing", args)
		}
		for _, r := range errs.String() {
			if r != '\n' && !unicode.IsPrint(r) || r == utf8.RuneError {
				t.Errorf("%q: says %q", args, errs.String())
				break
			}
		}
	}
}

// TestUnprivilegedDoctor: the doctor's findings are data, and its verdict is
// the exit status.
func TestUnprivilegedDoctor(t *testing.T) {
	out, errs, status := unprivileged(t, "doctor")
	if status != exitUnsupported || !strings.Contains(out, "NO   CAP_BPF") || !strings.Contains(out, "kprobe: cannot be used here") ||
		!strings.Contains(errs, "no backend can be attached") {
		t.Errorf("exit status %d\n%s%s", status, out, errs)
	}
}

// TestUsageBeforePrivileges: wrong input is said before anything is tried.
func TestUsageBeforePrivileges(t *testing.T) {
	if _, errs, status := unprivileged(t, "--port", "x"); status != exitUsage || !strings.Contains(errs, `--port "x"`) {
		t.Errorf("exit status %d, want %d:\n%s", status, exitUsage, errs)
	}
}
