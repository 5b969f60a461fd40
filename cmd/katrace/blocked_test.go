// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// slowWriter takes its time for each write.
type slowWriter time.Duration

func (w slowWriter) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(w))
	return len(p), nil
}

// TestUntilBlocked: after the end of the context only a write that does not
// come back ends the stream; detaching, and many writes, may take their time.
func TestUntilBlocked(t *testing.T) {
	failed := errors.New("failed")
	for _, tt := range []struct {
		name  string
		write io.Writer
		after func(io.Writer) error // what the stream does after ctx's end
		want  string                // of the error, "": none
	}{
		{"slow detaching", io.Discard, func(io.Writer) error { time.Sleep(time.Minute); return nil }, ""},
		{"many writes", slowWriter(grace / 2), func(w io.Writer) error {
			for range 10 {
				_, _ = w.Write(nil)
			}
			return nil
		}, ""},
		{"an error", io.Discard, func(io.Writer) error { time.Sleep(time.Minute); return failed }, "failed"},
		{"blocked", slowWriter(time.Hour), func(w io.Writer) error { _, _ = w.Write(nil); return nil }, "the output has been blocked for 3s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithTimeout(t.Context(), time.Second)
				defer stop()
				var writes writing
				w := writes.watch(tt.write)
				err := untilBlocked(ctx, &writes, func(ctx context.Context) error {
					<-ctx.Done()
					return tt.after(w)
				})
				if got := errorText(err); !strings.HasPrefix(got, tt.want) || tt.want == "" && got != "" {
					t.Errorf("%v, want %q", err, tt.want)
				}
				time.Sleep(2 * time.Hour) // what blocks comes back in the end
			})
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestSignalEndsBlocked: a signal ends a command whose reader reads no more. One
// writes that can be written again, so that nothing is lost: status 0.
func TestSignalEndsBlocked(t *testing.T) {
	write := func(name string, text []byte) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	recording := write("night.json", append(events.AppendJSON(nil, &events.Event{Time: time.Now(), Kind: events.KindProbe}), '\n'))
	damaged := write("damaged.json", []byte("no event\n"))
	for _, tt := range []struct {
		args   string
		signal syscall.Signal
	}{
		{"replay --speed 0 -o json " + recording, syscall.SIGTERM},
		{"replay --speed 0 -o text " + damaged, syscall.SIGINT}, // its complaint is blocked
		{"list --method netlink", syscall.SIGINT},
		{"predict --idle 1s --intvl 1s --cnt 1", syscall.SIGTERM},
		{"list --method netlink --watch=100ms", syscall.SIGTERM},
	} {
		t.Run(tt.args, func(t *testing.T) {
			t.Parallel()
			p := startBlocked(t, strings.Fields(tt.args)...)
			p.signal(t, tt.signal)
			if !p.ends(30 * time.Second) {
				t.Fatalf("goes on after %s", tt.signal)
			}
			if status := p.cmd.ProcessState; status.ExitCode() != exitDone {
				t.Errorf("%s", status)
			}
		})
	}
}

// TestSecondSignalKills: what nothing else ends, here a command that knows
// nothing of blocked readers, ends by a second signal as it would in any program.
func TestSecondSignalKills(t *testing.T) {
	t.Parallel()
	p := startBlocked(t, "completion", "bash")
	p.signal(t, syscall.SIGTERM)
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if p.signal(t, syscall.SIGTERM); p.ends(time.Second) {
			if w := p.cmd.ProcessState.Sys().(syscall.WaitStatus); w.Signal() != syscall.SIGTERM {
				t.Errorf("%s", p.cmd.ProcessState)
			}
			return
		}
	}
	t.Error("goes on after many")
}

// blocked is a katrace both of whose outputs are a full pipe that nobody reads.
type blocked struct {
	cmd  *exec.Cmd
	done chan struct{}
}

// startBlocked starts it, and waits until it stands still in write(2).
func startBlocked(t *testing.T, args ...string) *blocked {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("fill a pipe: %v", err)
	}
	p := &blocked{asKatrace(args...), make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the status is looked at elsewhere
	}()
	t.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.done })
	// proc_pid_syscall(5): the number of the system call that a thread is in, and its arguments.
	in := []string{fmt.Sprintf("%d 0x1 ", unix.SYS_WRITE), fmt.Sprintf("%d 0x2 ", unix.SYS_WRITE)}
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", p.cmd.Process.Pid)) // the pattern is good
		for _, path := range threads {
			call, err := os.ReadFile(path)
			if errors.Is(err, os.ErrPermission) {
				t.Skip(err)
			}
			if strings.HasPrefix(string(call), in[0]) || strings.HasPrefix(string(call), in[1]) {
				return p
			}
		}
	}
	t.Fatalf("%s does not write", p.cmd)
	return nil
}

func (p *blocked) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// ends waits for its end.
func (p *blocked) ends(within time.Duration) bool {
	select {
	case <-p.done:
		return true
	case <-time.After(within):
		return false
	}
}
