// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"katrace/internal/loader"
)

// TestReady: the service manager hears that the tracer is attached, and then, if it
// asks for that, that the stream goes on.
func TestReady(t *testing.T) {
	for _, usec := range []string{"", "3000000"} {
		path := filepath.Join(t.TempDir(), "notify")
		socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: path})
		must(t, err)
		defer func() { _ = socket.Close() }()
		must(t, socket.SetReadDeadline(time.Now().Add(time.Minute)))
		next := func() string {
			b := make([]byte, 1000)
			n, err := socket.Read(b)
			must(t, err)
			return string(b[:n])
		}
		t.Setenv("NOTIFY_SOCKET", path)
		t.Setenv("WATCHDOG_USEC", usec)
		t.Setenv("WATCHDOG_PID", "") // of the service that runs the tests
		s := &stream{tracer: &loader.Tracer{Backend: loader.Kprobe}}
		s.ready()
		if got := next(); got != "READY=1\nSTATUS=Attached by kprobe" {
			t.Errorf("said %q", got)
		}
		if want := min(len(usec), 1); len(s.secondly) != want {
			t.Fatalf("WATCHDOG_USEC=%q: %d things to do each second, want %d", usec, len(s.secondly), want)
		}
		for _, f := range s.secondly {
			if f(); !strings.Contains(next(), "WATCHDOG=1") {
				t.Error("nothing for the watchdog")
			}
		}
	}
}

// TestReadyUnheard: a service manager that waits in vain ends katrace in the end, and
// then one has to find why.
func TestReadyUnheard(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	var said strings.Builder
	s := &stream{tracer: &loader.Tracer{Backend: loader.Kprobe}, say: &said}
	if s.ready(); !strings.Contains(said.String(), "service manager cannot be told") {
		t.Errorf("said %q", &said)
	}
}
