// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"io"
	"os"
	"os/exec"
	ossignal "os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/test/childtest"
)

// TestClosedStdout: where standard output is closed what is written would be
// lost: that is an error, at once. /dev/null is no closed one.
func TestClosedStdout(t *testing.T) {
	recording := t.TempDir() + "/night.json"
	line := events.AppendJSON(nil, &events.Event{Time: time.Now(), Kind: events.KindProbe})
	if err := os.WriteFile(recording, append(line, '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"", "-o json", "list", "predict", "replay " + recording} {
		for redirection, status := range map[string]int{">&-": exitFailed, ">/dev/null": exitDone} {
			if status == exitDone && (args == "" || args == "-o json") {
				continue // it would stream
			}
			cmd := exec.Command("sh", append([]string{"-c", `exec "$0" "$@" ` + redirection, "/proc/self/fd/3"}, strings.Fields(args)...)...)
			cmd.Env = asKatrace().Env
			self, err := os.Open("/proc/self/exe") // the shell's own is another one
			if err != nil {
				t.Fatal(err)
			}
			cmd.ExtraFiles = []*os.File{self}
			var errs strings.Builder
			cmd.Stderr = &errs
			_ = cmd.Run() // the status is looked at
			_ = self.Close()
			said := strings.Contains(errs.String(), "katrace: standard output is closed, what is written would be lost")
			if got := cmd.ProcessState.ExitCode(); got != status || said != (status == exitFailed) {
				t.Errorf("katrace %s %s: exit status %d, want %d; it says %q", args, redirection, got, status, errs.String())
			}
		}
	}
}

// TestFullStdout: what does not fit is no success, also of what the library prints.
func TestFullStdout(t *testing.T) {
	for _, args := range []string{"--help", "list --help", "help list", "completion bash", "version", "predict"} {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		cmd := asKatrace(strings.Fields(args)...)
		var errs strings.Builder
		cmd.Stdout, cmd.Stderr = full, &errs
		_ = cmd.Run() // the status is looked at
		_ = full.Close()
		if got := cmd.ProcessState.ExitCode(); got != exitFailed || !strings.Contains(errs.String(), "no space left on device") {
			t.Errorf("katrace %s: exit status %d, it says %q", args, got, errs.String())
		}
	}
}

// TestSignals: each signal that asks for the end ends it with status 0, and what
// came before is shown; SIGHUP that is ignored, as nohup(1) has it, ends nothing.
func TestSignals(t *testing.T) {
	// Under nohup this process ignores SIGHUP, and what it starts would as well.
	ossignal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	defer ossignal.Reset(syscall.SIGHUP)
	line := append(events.AppendJSON(nil, &events.Event{Time: time.Now(), Kind: events.KindProbe}), '\n')
	start := func(ignoring string) (*exec.Cmd, *childtest.Child) {
		t.Helper()
		cmd := exec.Command("sh", "-c", ignoring+` exec /proc/self/fd/3 replay -o json -`)
		cmd.Env = asKatrace().Env
		self, err := os.Open("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = self.Close() }()
		cmd.ExtraFiles = []*os.File{self}
		p := childtest.Start(t, cmd)
		if _, err := p.In.Write(line); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Out.ReadString('\n'); err != nil || got != string(line) {
			t.Fatalf("%q, %v", got, err)
		}
		return cmd, p
	}
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd, _ := start("")
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: it ended with %v", signal, err)
		}
	}
	cmd, p := start("trap '' HUP;")
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	if _, err := p.In.Write(line); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Out.ReadString('\n'); err != nil || got != string(line) {
		t.Errorf("SIGHUP, ignored: %q, %v", got, err)
	}
	_ = p.In.Close()
	_, _ = io.Copy(io.Discard, p.Out)
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGHUP, ignored: it ended with %v", err)
	}
}
