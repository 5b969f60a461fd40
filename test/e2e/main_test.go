// SPDX-License-Identifier: BSD-2-Clause

// Package e2e tests the katrace program on real sockets and a real kernel:
// natively by the tracepoint backend, and in test/vm's guests by the others.
//
//	go test ./test/e2e -katrace bin/katrace -backend tracepoint
//
// Several backends (-backend kprobe,fentry,tracepoint) trace the same staged
// connections side by side. It needs root.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/internal/loader"
	"katrace/test/childtest"
)

var (
	program = flag.String("katrace", "", "the program to test")
	backend = flag.String("backend", "tracepoint", "how it attaches; several, by commas, trace the same connections at once")
	more    = flag.String("flags", "", "flags, by spaces, that each katrace gets that traces")
	slack   = flag.Duration("slack", 0, "how late timers may be (default: the lab's own, more in a guest)")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *program == "" {
		fmt.Fprintln(os.Stderr, "name the program to test: -katrace FILE")
		os.Exit(2)
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "these tests need root")
		os.Exit(2)
	}
	if os.Getenv(aloneEnv) != "" {
		if err := settle(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(2)
		}
	}
	if *slack == 0 && os.Getenv("KATRACE_GUEST") != "" {
		*slack = 10 * time.Second // emulation on a busy host: timers come seconds late
	}
	os.Exit(m.Run())
}

// backends are those under test.
func backends() (all []loader.Backend) {
	for name := range strings.SplitSeq(*backend, ",") {
		all = append(all, loader.Backend(name))
	}
	return all
}

// turn counts the tests that take anyBackend.
var turn atomic.Int32

// anyBackend is one of those under test, each in turn: for what does not
// depend on how katrace is attached. An emulated katrace takes seconds to start.
func anyBackend() loader.Backend {
	all := backends()
	return all[int(turn.Add(1)-1)%len(all)]
}

// run is a katrace that is running.
type run struct {
	t      *testing.T
	cmd    *exec.Cmd
	stderr *childtest.Buffer
	done   chan struct{} // closed when stdout is at its end

	mu     sync.Mutex
	lines  [][]byte
	events []events.Event
	about  []events.Event // start, heartbeats, stop
}

// start starts katrace's JSON stream, by any backend, and waits until it is
// attached.
func start(t *testing.T, args ...string) *run {
	t.Helper()
	r := launch(t, anyBackend(), args...)
	r.attached()
	return r
}

// launch starts katrace's JSON stream; attached waits for it.
func launch(t *testing.T, by loader.Backend, args ...string) *run {
	t.Helper()
	return follow(t, command(slices.Concat([]string{"-o", "json", "--attach", string(by)}, moreFlags(), args)...))
}

// follow starts a katrace's JSON stream and takes what it says.
func follow(t *testing.T, cmd *exec.Cmd) *run {
	t.Helper()
	r := &run{t: t, cmd: cmd, stderr: &childtest.Buffer{}, done: make(chan struct{})}
	cmd.Stderr = r.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	go func() {
		defer close(r.done)
		sc := bufio.NewScanner(out)
		sc.Buffer(nil, 1<<20)
		for sc.Scan() {
			r.take(bytes.Clone(sc.Bytes()))
		}
	}()
	return r
}

// attached waits until katrace is attached.
func (r *run) attached() {
	r.t.Helper()
	waitFor(r.t, 5*time.Minute, "katrace to attach", func() bool {
		attached := strings.Contains(r.stderr.String(), "attached by")
		select {
		case <-r.done:
			if !attached {
				_ = r.cmd.Wait() // stderr is whole then
				r.t.Fatalf("katrace ended before it was attached: %v; it said: %s", r.cmd.ProcessState, r.stderr)
			}
		default:
		}
		return attached
	})
}

func (r *run) take(line []byte) {
	e, err := events.ParseJSON(line)
	if err != nil {
		r.t.Errorf("line %q: %v", line, err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line)
	if e.Tracing != nil {
		r.about = append(r.about, e)
		return
	}
	r.events = append(r.events, e)
}

// seen is what has come so far of connections, and of losses.
func (r *run) seen() []events.Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]events.Event(nil), r.events...)
}

// stop ends katrace as a person would, and returns all it said.
func (r *run) stop() []events.Event {
	r.t.Helper()
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		r.t.Fatal(err)
	}
	r.wait()
	return r.seen()
}

// wait waits for katrace's end and wants exit status 0.
func (r *run) wait() {
	r.t.Helper()
	select {
	case <-r.done:
	case <-time.After(3 * time.Minute):
		_ = r.cmd.Process.Signal(syscall.SIGQUIT) // where it stands
		time.Sleep(time.Second)
		r.t.Fatalf("katrace does not end; it said: %s", r.stderr)
	}
	if err := r.cmd.Wait(); err != nil {
		r.t.Fatalf("katrace: %v; it said: %s", err, r.stderr)
	}
}

// katrace runs katrace to its end.
func katrace(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, *program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

var waitFor = childtest.WaitFor
