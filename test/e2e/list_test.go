// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/sys/unix"

	"katrace/docs"
)

// TestListSchema: what list says of real sockets in every situation that it
// tells apart is as docs/list.schema.json has it, and each of the schema's keys
// and words was really seen.
func TestListSchema(t *testing.T) {
	schema, err := docs.Schema(docs.ListSchema)
	if err != nil {
		t.Fatal(err)
	}
	methods := listMethods(t)
	for _, method := range methods {
		t.Run(method, func(t *testing.T) {
			stageList(t) // once more: an orphan in fin_wait2 is gone after a minute
			var out string
			seen := map[string]bool{}
			want := []string{
				"state listen", "state established", "state close_wait", "state fin_wait2", "state time_wait",
				"family ipv4", "family ipv6", "family ipv6-mapped",
				"waits_for probe", "waits_for retransmission", "waits_for window_probe", "waits_for fin_wait2", "waits_for nothing",
				"on true", "on false", "holders", "process", "uid", "next_probe_ms", "dies_in_ms", "idle_for_ms", "unanswered",
			}
			if method == "bpf" {
				want = append(want, "inherited")
			} else {
				want = append(want, "set")
			}
			// The window closes, and the FIN arrives, a moment after the staging.
			waitFor(t, time.Minute, "every situation to be listed", func() bool {
				out = ""
				for _, args := range [][]string{nil, {"--state", "time_wait"}} { // which are listed only when asked for
					more, stderr, status := katrace(t, append([]string{"list", "--method", method, "-o", "json"}, args...)...)
					if status != 0 {
						t.Fatalf("status %d: %s", status, stderr)
					}
					if args == nil && strings.Contains(more, `"state":"time_wait"`) {
						t.Fatalf("time_wait, which was not asked for:\n%s", more)
					}
					out += more
				}
				clear(seen)
				for line := range strings.Lines(out) {
					tellSocket(t, line, seen)
				}
				for _, w := range want {
					if !seen[w] {
						t.Logf("not yet: %s", w)
						return false
					}
				}
				return true
			})
			for line := range strings.Lines(out) {
				v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
				if err != nil {
					t.Fatalf("%s: %v", line, err)
				}
				if err := schema.Validate(v); err != nil {
					t.Errorf("%s%v", line, err)
				}
				for key := range v.(map[string]any) {
					if schema.Properties[key] == nil {
						t.Errorf("%s: the schema does not know %q", line, key)
					}
				}
			}
		})
	}
}

// listMethods are those that this kernel allows.
func listMethods(t *testing.T) []string {
	t.Helper()
	methods := []string{"netlink"}
	if _, _, status := katrace(t, "list", "--method", "bpf", "-o", "json"); status == 0 {
		methods = append(methods, "bpf")
	}
	return methods
}

// TestListKeysExplained: docs/events.md explains each key of the list's schema.
func TestListKeysExplained(t *testing.T) {
	schema, err := docs.Schema(docs.ListSchema)
	if err != nil {
		t.Fatal(err)
	}
	text, err := docs.Text(docs.EventsText)
	if err != nil {
		t.Fatal(err)
	}
	for key := range schema.Properties {
		if !bytes.Contains(text, []byte("`"+key+"`")) {
			t.Errorf("%q is not explained", key)
		}
	}
	for key := range schema.Properties["keepalive"].Properties {
		if !bytes.Contains(text, []byte("."+key+"`")) {
			t.Errorf("keepalive.%s is not explained", key)
		}
	}
}

// tellSocket notes what one line shows.
func tellSocket(t *testing.T, line string, seen map[string]bool) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(line))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	socket := v.(map[string]any)
	for key, value := range socket {
		seen[key] = true
		seen[fmt.Sprint(key, " ", value)] = true
	}
	if settings, ok := socket["keepalive"].(map[string]any); ok {
		for key, value := range settings {
			seen[key] = true
			seen[fmt.Sprint(key, " ", value)] = true
		}
	}
}

// stageList makes connections in every situation that the list tells apart.
func stageList(t *testing.T) {
	connect := func(addr string) (ours, peer *net.TCPConn) {
		t.Helper()
		// A small receive buffer, so that the window closes soon.
		small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
			var err error
			return errors.Join(c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 16<<10) }), err)
		}}
		l, err := small.Listen(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", l.Addr().(*net.TCPAddr).Port))
		if err != nil {
			c, err = net.Dial("tcp", l.Addr().String())
		}
		if err != nil {
			t.Fatal(err)
		}
		p, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(); _ = p.Close() })
		return c.(*net.TCPConn), p.(*net.TCPConn)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	// All settings its own, a user timeout, and a second holder.
	ours, _ := connect("127.0.0.1:0")
	must(ours.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: 10 * time.Second, Count: 6}))
	must(control(ours, func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 90_000)
	}))
	shared, err := ours.File()
	must(err)
	defer func() { _ = shared.Close() }()
	child := holder("", "")
	child.ExtraFiles = append(child.ExtraFiles, shared)
	startHolder(t, child)
	// Off, over IPv6 and IPv4-mapped.
	ours, _ = connect("[::1]:0")
	must(ours.SetKeepAlive(false))
	_, peer := connect("[::]:0")
	must(peer.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: -1, Count: -1}))
	// The peer sent FIN: close_wait, and an orphan in fin_wait2 on its side.
	_, peer = connect("127.0.0.1:0")
	must(peer.Close())
	// Both ends closed: time_wait.
	ours, peer = connect("127.0.0.1:0")
	must(ours.Close())
	must(peer.Close())
	// Unacknowledged data.
	ours, peer = connect("127.0.0.1:0")
	must(ignoreAll(peer))
	_, err = ours.Write([]byte("x"))
	must(err)
	// A closed window.
	ours, _ = connect("127.0.0.1:0")
	must(ours.SetWriteDeadline(time.Now().Add(time.Second)))
	if _, err = ours.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("the window does not close: %v", err)
	}
}
