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
