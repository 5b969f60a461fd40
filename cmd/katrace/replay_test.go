// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
	"katrace/test/childtest"
)

// TestReplayWaiting: a recording that is still being written, whose next line
// does not come. What came is shown, and a signal ends it.
func TestReplayWaiting(t *testing.T) {
	line := append(events.AppendJSON(nil, &events.Event{Time: time.Now(), Kind: events.KindProbe}), '\n')
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"-", fifo} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cmd := asKatrace("replay", "--speed", "0", "-o", "json", file)
			p := childtest.Start(t, cmd)
			in := p.In
			late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
			defer late.Stop()
			if file != "-" {
				w, err := os.OpenFile(file, os.O_WRONLY, 0) // waits for the reader
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = w.Close() }()
				in = w
			}
			if _, err := in.Write(line); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(line))
			if _, err := io.ReadFull(p.Out, got); err != nil || !bytes.Equal(got, line) {
				t.Fatalf("got %q, %v, want %q", got, err, line)
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

// TestReplayEnds: what never gives a line, for nobody writes it or it is one
// line without an end, is given up by a signal.
func TestReplayEnds(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{fifo, "/dev/zero"} {
		t.Run(filepath.Base(file), func(t *testing.T) {
			cmd := asKatrace("replay", "-o", "json", file)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			late := time.AfterFunc(30*time.Second, func() { _ = cmd.Process.Kill() })
			defer late.Stop()
			// It heeds signals by the time it has opened the file.
			for opened := false; !opened; time.Sleep(10 * time.Millisecond) {
				fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", cmd.Process.Pid))
				if err != nil || len(fds) == 0 {
					t.Fatalf("it opens nothing: %v", cmd.Wait())
				}
				for _, fd := range fds {
					target, _ := os.Readlink(fd) // closed meanwhile
					opened = opened || target == file
				}
			}
			if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}
