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
	"katrace/test/childtest"
)

// TestFaultFullDisk: where the disk with stdout is full, katrace ends at once with
// status 1 and says so. What is in the file by then is whole but for the last line.
func TestFaultFullDisk(t *testing.T) {
	nativeOnly(t)
	l := newLoad(t, 500, true, 127)
	disk := smallDisk(t)
	out, err := os.OpenFile(on(disk, "stdout"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }()
	cmd := command("-o", "json", l.only(), "--attach", string(anyBackend()))
	stderr := &childtest.Buffer{}
	cmd.Stdout, cmd.Stderr = out, stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, 2*time.Minute, "katrace to attach", func() bool { return strings.Contains(stderr.String(), "attached by") })
	l.begin()
	if code := exitCode(t, cmd); code != 1 || !strings.Contains(stderr.String(), "write events: write /dev/stdout: no space left on device") {
		t.Errorf("exit status %d, want 1; it said %q", code, stderr)
	}
	text, err := os.ReadFile(on(disk, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(text, []byte{'\n'})
	for _, line := range lines[:len(lines)-1] {
		if _, err := events.ParseJSON(line); err != nil {
			t.Errorf("line %q: %v", line, err)
		}
	}
	if len(lines) < 100 {
		t.Errorf("%d lines before the disk was full", len(lines))
	}
}

// TestFaultFullLogDisk: a full disk with the log file ends nothing. What it does not
// take is counted, and there are more lines as soon as there is room: each line of
// standard output is in the file, or counted there as lost.
func TestFaultFullLogDisk(t *testing.T) {
	nativeOnly(t)
	l := newLoad(t, 50, true, 127) // their probes come at once, and have room where the ballast was
	disk := smallDisk(t)
	if err := os.WriteFile(on(disk, "ballast"), make([]byte, 64<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := command("-o", "json", "--attach", string(anyBackend()), "--log-file", "/proc/self/fd/3/log", l.only())
	cmd.ExtraFiles = []*os.File{disk}
	r := follow(t, cmd)
	r.attached()
	l.begin()
	said := func(what string) func() bool {
		return func() bool { return strings.Contains(r.stderr.String(), what) }
	}
	waitFor(t, time.Minute, "the disk to be full", said("/proc/self/fd/3/log: no space left on device: what cannot be written is counted as lost"))
	lost := func() (n uint64) {
		for _, e := range r.seen() {
			n += e.Lost.Disk
		}
		return n
	}
	waitFor(t, time.Minute, "a loss to be reported", func() bool { return lost() > 0 })
	if err := os.Remove(on(disk, "ballast")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, time.Minute, "the log file to be written again", said("is written again; lines lost: "))
	l.end()
	told := 0
	for _, e := range r.stop() {
		if e.Kind != events.KindLost {
			told++
		}
	}
	logged, loggedLost := 0, uint64(0)
	for _, line := range logLines(t, on(disk, "log")) {
		e, err := events.ParseJSON([]byte(line))
		if err != nil {
			t.Errorf("line %q: %v", line, err)
		}
		if loggedLost += e.Lost.Disk; !e.Kind.OfTracing() {
			logged++
		}
	}
	if uint64(told) != uint64(logged)+lost() || loggedLost == 0 {
		t.Errorf("%d lines on standard output; in the log file %d, and %d counted as lost, %d of them in the file itself", told, logged, lost(), loggedLost)
	}
	if info, err := os.Stat(on(disk, "log")); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, mode %v, want 0600", err, info.Mode())
	}
}

// on is the name of a file on that disk.
func on(disk *os.File, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", disk.Fd(), name)
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
