// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"bytes"
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

// tracer is a katrace under load.
type tracer struct {
	cmd *exec.Cmd
	out *os.File
	err *os.File
	// socket is where the metrics are asked for, "": there are none.
	socket string
	quiet  bool // --changes: probes are no lines
}

func startTracer(path string, args []string, dir string) (_ *tracer, err error) {
	t := &tracer{}
	defer func() {
		if err != nil {
			t.discard()
		}
	}()
	if t.out, err = os.CreateTemp(dir, "katrace-storm-*.json"); err != nil {
		return nil, err
	}
	if t.err, err = os.CreateTemp(dir, "katrace-storm-*.txt"); err != nil {
		return nil, err
	}
	// Only this namespace's probes are counted.
	flags := []string{"--netns", "/proc/self/ns/net"}
	for _, arg := range args {
		if strings.Contains(arg, "SOCKET") {
			t.socket = filepath.Join(filepath.Dir(t.out.Name()), "katrace-storm.sock")
			arg = strings.ReplaceAll(arg, "SOCKET", "unix:"+t.socket)
		}
		t.quiet = t.quiet || arg == "--changes"
		flags = append(flags, arg)
	}
	t.cmd = exec.Command(path, flags...)
	t.cmd.Stdout, t.cmd.Stderr = t.out, t.err
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	for range 300 {
		said, err := os.ReadFile(t.err.Name())
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(said), "attached") {
			return t, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, errors.New("katrace does not say within 30 s that it is attached")
}

// stop ends katrace and waits for the rest of its output.
func (t *tracer) stop() error {
	if err := t.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	if err := t.cmd.Wait(); err != nil {
		said, _ := os.ReadFile(t.err.Name())
		return fmt.Errorf("katrace: %w: %s", err, said)
	}
	return nil
}

// discard ends katrace if it still runs, and removes its output.
func (t *tracer) discard() {
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
