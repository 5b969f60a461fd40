// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"katrace/internal/events"
)

// tracer is a katrace under load, or another tool.
type tracer struct {
	cmd *exec.Cmd
	out *os.File
	err *os.File
	// socket is where the metrics are asked for, "": there are none.
	socket string
	quiet  bool // --changes: probes are no lines
	peak   peak
}

// startTracer starts a katrace.
func startTracer(path string, args []string, dir string) (*tracer, error) {
	// Only this namespace's probes are counted.
	argv := []string{path, "--netns", "/proc/self/ns/net"}
	var socket string
	var quiet bool
	for _, arg := range args {
		if strings.Contains(arg, "SOCKET") {
			socket = filepath.Join(cmp.Or(dir, os.TempDir()), "katrace-storm.sock")
			arg = strings.ReplaceAll(arg, "SOCKET", "unix:"+socket)
		}
		quiet = quiet || arg == "--changes" || arg == "none"
		argv = append(argv, arg)
	}
	t, err := launch(argv, nil, "attached", dir)
	if err != nil {
		return nil, err
	}
	t.socket, t.quiet = socket, quiet
	return t, nil
}

// launch starts a tool, and returns when its output says that it traces.
func launch(argv, env []string, ready, dir string) (_ *tracer, err error) {
	t := &tracer{}
	defer func() {
		if err != nil {
			t.discard()
		}
	}()
	if t.out, err = os.CreateTemp(dir, "katrace-storm-*.out"); err != nil {
		return nil, err
	}
	if t.err, err = os.CreateTemp(dir, "katrace-storm-*.err"); err != nil {
		return nil, err
	}
	t.cmd = exec.Command(argv[0], argv[1:]...)
	t.cmd.Env = append(os.Environ(), env...)
	t.cmd.Stdout, t.cmd.Stderr = t.out, t.err
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	t.peak.watch(t.cmd.Process.Pid)
	for range 600 {
		said, err := t.said()
		if err != nil {
			return nil, err
		}
		if strings.Contains(said, ready) {
			return t, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	said, _ := t.said()
	return nil, fmt.Errorf("it does not say within 60 s that it traces: %s", said)
}

// said is what it wrote to standard error, and the beginning of its output.
func (t *tracer) said() (string, error) {
	said, err := os.ReadFile(t.err.Name())
	if err != nil {
		return "", err
	}
	out := make([]byte, 4096)
	n, err := t.out.ReadAt(out, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return string(said) + string(out[:n]), nil
}

// stop ends it and waits for the rest of its output. A signal that reaches bpftrace
// between two waits for events goes unnoticed until the next event, so it is repeated.
func (t *tracer) stop() error {
	t.peak.stop()
	if err := t.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	again := time.AfterFunc(20*time.Second, func() { _ = t.cmd.Process.Signal(os.Interrupt) })
	defer again.Stop()
	if err := t.cmd.Wait(); err != nil {
		said, _ := os.ReadFile(t.err.Name())
		return fmt.Errorf("%s: %w: %s", t.cmd.Args[0], err, said)
	}
	return nil
}

// discard ends it if it still runs, and removes its output.
func (t *tracer) discard() {
	t.peak.stop()
	if t.cmd != nil && t.cmd.Process != nil && t.cmd.ProcessState == nil {
		_ = t.cmd.Process.Kill()
		_ = t.cmd.Wait()
	}
	for _, f := range []*os.File{t.out, t.err} {
		if f != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}
}

// told is what katrace's output says.
type told struct {
	quiet                 bool // probes are no lines
	events, probes, owned uint64
	lost                  events.Lost
}

// count reads the output. Of most lines only the kind is looked at, for there
// may be tens of millions.
func (t *tracer) count() (told, error) {
	n := told{quiet: t.quiet}
	if _, err := t.out.Seek(0, io.SeekStart); err != nil {
		return n, err
	}
	lines := bufio.NewReaderSize(t.out, 1<<20)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return n, nil
		}
		if err != nil {
			return n, fmt.Errorf("read what katrace wrote: %w", err)
		}
		n.events++
		if bytes.Contains(line, []byte(`"process":`)) {
			n.owned++
		}
		switch {
		case bytes.Contains(line, []byte(`"event":"probe"`)):
			n.probes++
		case bytes.Contains(line, []byte(`"event":"lost"`)):
			n.events--
			e, err := events.ParseJSON(line)
			if err != nil {
				return n, err
			}
			n.lost = n.lost.Plus(e.Lost)
		}
	}
}
