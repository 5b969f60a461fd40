// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestLogFileRotated: whoever renames the log file, and whether it says so by
// SIGUSR1, by SIGHUP or not at all, each line of standard output is in one of the
// files, once and in order; and by --log-size as well.
func TestLogFileRotated(t *testing.T) {
	nativeOnly(t)
	l := newLoad(t, 50, true, 127)
	dir := t.TempDir()
	moved, own := filepath.Join(dir, "moved"), filepath.Join(dir, "own")
	begin := func(args ...string) *run {
		cmd := command(slices.Concat([]string{"-o", "json", "--attach", string(anyBackend()), l.only()}, args)...)
		cmd.SysProcAttr.Setsid = true // as a service manager starts it: no terminal can hang up
		r := follow(t, cmd)
		r.attached()
		return r
	}
	byOthers := begin("--log-file", moved, "--log-mode", "0640")
	byItself := begin("--log-file", own, "--log-size", "64KiB", "--log-keep", "1000")
	l.begin()
	files := []string{}
	for i, signal := range []os.Signal{nil, unix.SIGUSR1, unix.SIGHUP, nil} {
		waitFor(t, time.Minute, "the log file to be written", func() bool {
			info, err := os.Stat(moved)
			return err == nil && info.Size() > 0 && info.Mode() == 0o640
		})
		files = append(files, fmt.Sprintf("%s.%d", moved, i))
		if err := os.Rename(moved, files[i]); err != nil {
			t.Fatal(err)
		}
		if signal == nil {
			continue
		}
		if err := byOthers.cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
	}
	waitFor(t, time.Minute, "a second file", func() bool { _, err := os.Stat(own + ".2"); return err == nil })
	l.end()
	byOthers.stop()
	byItself.stop()
	if _, err := os.Stat(moved); err == nil {
		files = append(files, moved)
	}
	same(t, "moved", byOthers, files)
	files = nil
	for i := 1; ; i++ {
		name := fmt.Sprintf("%s.%d", own, i)
		info, err := os.Stat(name)
		if err != nil {
			break
		}
		if files = append(files, name); info.Size() > 64<<10 {
			t.Errorf("%s has %d bytes", name, info.Size())
		}
	}
	slices.Reverse(files)
	same(t, "own", byItself, append(files, own))
}

// same wants the lines of standard output, in that order, in the files.
func same(t *testing.T, what string, r *run, files []string) {
	t.Helper()
	var logged []string
	for _, name := range files {
		logged = append(logged, logLines(t, name)...)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var told []string
	for _, line := range r.lines {
		told = append(told, string(line))
	}
	if len(told) < 50 || !slices.Equal(told, logged) {
		t.Errorf("%s: %d lines on standard output, %d in %d files, or others", what, len(told), len(logged), len(files))
	}
}

// logLines are the lines of a file, all of which have an end.
func logLines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	if last := lines[len(lines)-1]; last != "" {
		t.Errorf("%s ends with a part of a line: %q", name, last)
	}
	return lines[:len(lines)-1]
}

// TestHangup: SIGHUP ends katrace where there is no log file, as it did before; and
// SIGUSR1 ends it never.
func TestHangup(t *testing.T) {
	nativeOnly(t)
	l := newLoad(t, 1, true, 127)
	cmd := command("-o", "json", "--attach", string(anyBackend()), l.only())
	cmd.SysProcAttr.Setsid = true
	r := follow(t, cmd)
	r.attached()
	if err := cmd.Process.Signal(unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	l.begin()
	waitFor(t, time.Minute, "an event after SIGUSR1", func() bool { return len(r.seen()) > 0 })
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.wait()
}
