// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// TestFaultFullDisk: where the disk with stdout, or with the log file, is full,
// katrace ends at once with status 1 and says which. What is in the file by
// then is whole but for the last line, and its owner's alone.
func TestFaultFullDisk(t *testing.T) {
	nativeOnly(t)
	l := newLoad(t, 500, true, 127)
	disk := smallDisk(t)
	out, err := os.OpenFile(fmt.Sprintf("/proc/self/fd/%d/stdout", disk.Fd()), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	begun := false
	for _, tt := range []struct{ file, args, say string }{
		{"log", "-o text --log-file /proc/self/fd/3/log", "/proc/self/fd/3/log: no space left on device"},
		{"stdout", "-o json", "write events: write /dev/stdout: no space left on device"},
	} {
		cmd := command(append(strings.Fields(tt.args), l.only(), "--attach", string(anyBackend()))...)
		stderr := &lockedBuffer{}
		cmd.Stderr, cmd.ExtraFiles = stderr, []*os.File{disk}
		if tt.file == "stdout" {
			cmd.Stdout = out
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if waitFor(t, 2*time.Minute, "katrace to attach", func() bool { return strings.Contains(stderr.String(), "attached by") }); !begun {
			l.begin()
			begun = true
		}
		if code := exitCode(t, cmd); code != 1 || !strings.Contains(stderr.String(), tt.say) {
			t.Errorf("%s: exit status %d, want 1; it said %q, want %q", tt.args, code, stderr, tt.say)
		}
		name := fmt.Sprintf("/proc/self/fd/%d/%s", disk.Fd(), tt.file)
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.Split(text, []byte{'\n'})
		for _, line := range lines[:len(lines)-1] {
			if _, err := events.ParseJSON(line); err != nil {
				t.Errorf("%s: line %q: %v", tt.file, line, err)
			}
		}
		if len(lines) < 100 {
			t.Errorf("%s: %d lines before the disk was full", tt.file, len(lines))
		}
		if info, err := os.Stat(name); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, mode %v, want 0600", tt.file, err, info.Mode())
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// exitCode waits for the end, at most half a minute.
func exitCode(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	late := time.AfterFunc(30*time.Second, func() {
		t.Errorf("%q does not end", cmd.Args)
		_ = cmd.Process.Kill()
	})
	_ = cmd.Wait() // its status is what is asked for
	late.Stop()
	return cmd.ProcessState.ExitCode()
}

// smallDisk is a tmpfs of 128 KiB that is mounted nowhere, and goes with its descriptor.
func smallDisk(t *testing.T) *os.File {
	t.Helper()
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fs) }()
	if err := unix.FsconfigSetString(fs, "size", "128k"); err != nil {
		t.Fatal(err)
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		t.Fatal(err)
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	disk := os.NewFile(uintptr(mount), "small disk")
	t.Cleanup(func() { _ = disk.Close() })
	return disk
}
