// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"katrace/internal/events"
)

// serve serves on addr until the test ends.
func serve(t *testing.T, m *Metrics, addr string) net.Addr {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l, err := Listen(ctx, addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- m.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr()
}

// ask sends a request as it stands and reads what comes until the server closes.
func ask(t *testing.T, at net.Addr, request string) string {
	t.Helper()
	c, err := net.Dial(at.Network(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(c, request) }() // a server that has enough of it closes
	answer, _ := io.ReadAll(c)
	return string(answer)
}

const get = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"

// TestServe: by TCP, by a unix socket in place of one that a crash left, and by a
// socket that was inherited.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	left, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: filepath.Join(dir, "left")})
	if err != nil {
		t.Fatal(err)
	}
	left.SetUnlinkOnClose(false)
	_ = left.Close()
	inherited, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := inherited.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	addrs := []string{"127.0.0.1:0", "unix:" + filepath.Join(dir, "new"), "unix:" + filepath.Join(dir, "left"), fmt.Sprintf("fd://%d", fd)}
	if l, err := net.Listen("tcp", "[::1]:0"); err == nil { // else this machine has no IPv6
		_ = l.Close()
		addrs = append(addrs, "[::1]:0")
	}
	for _, addr := range addrs {
		m := New(full())
		at := serve(t, m, addr)
		answer, err := http.ReadResponse(bufio.NewReader(strings.NewReader(ask(t, at, get))), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %v, %v", addr, answer, err)
		}
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(answer.Body)
		if err != nil || families["katrace_probes_total"] == nil {
			t.Errorf("%s: %d families, %v", addr, len(families), err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, "new")); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v: want 0660", info.Mode(), err)
	}
}

// TestListenWithoutKeepalive: katrace does not report scrapes of its own metrics.
func TestListenWithoutKeepalive(t *testing.T) {
	inherited, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = inherited.Close() }()
	file, err := inherited.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	fd, err := syscall.Dup(int(file.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"127.0.0.1:0", fmt.Sprintf("fd://%d", fd)} {
		l, err := Listen(t.Context(), addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = client.Close() }()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		raw, err := c.(syscall.Conn).SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		on := -1
		if err := raw.Control(func(fd uintptr) {
			on, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_KEEPALIVE)
		}); err != nil || on != 0 {
			t.Errorf("%s: SO_KEEPALIVE is %d, %v", addr, on, err)
		}
	}
}

func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	used, err := net.Listen("unix", filepath.Join(dir, "used"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = used.Close() }()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, addr := range []string{"unix:" + filepath.Join(dir, "used"), "unix:" + filepath.Join(dir, "file"), "unix:" + filepath.Join(dir, "no/such"), "fd://999", "fd://x", "203.0.113.1:80"} {
		if l, err := Listen(t.Context(), addr); err == nil {
			_ = l.Close()
			t.Errorf("%s: is taken", addr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "file")); err != nil {
		t.Error("a file that is no socket was removed")
	}
}

// TestHostileClients: only GET of /metrics, short requests, and an answer for the
// next client whatever the ones before do.
func TestHostileClients(t *testing.T) {
	m := New(full())
	at := serve(t, m, "127.0.0.1:0")
	for request, want := range map[string]string{
		get: "HTTP/1.1 200 ", "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello": "HTTP/1.1 405 ",
		"HEAD /metrics HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP/1.1 405 ", "DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP/1.1 405 ",
		"GET / HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP/1.1 404 ", "GET /metrics/../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n": "HTTP/1.1 404 ",
		"GET /debug/pprof/ HTTP/1.1\r\nHost: x\r\n\r\n":                                       "HTTP/1.1 404 ",
		"GET /metrics HTTP/1.1\r\nHost: x\r\nA: " + strings.Repeat("a", 100<<10) + "\r\n\r\n": "HTTP/1.1 431 ",
		"\x16\x03\x01 hello TLS\r\n\r\n":                                                      "HTTP/1.1 400 ",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n":                                                    "HTTP/1.1 ",
		"GET /metrics?name[]=a HTTP/1.1\r\n\r\n":                                              "HTTP/1.1 400 ", // no host
		"CONNECT example.org:80 HTTP/1.1\r\nHost: x\r\n\r\n":                                  "HTTP/1.1 405 ",
	} {
		if got := ask(t, at, request); !strings.HasPrefix(got, want) {
			t.Errorf("%.60q: %.80q, want %q", request, got, want)
		}
	}
	// A connection is for one request.
	if n := strings.Count(ask(t, at, get+get), "HTTP/1.1 200"); n != 1 {
		t.Errorf("%d answers on a connection", n)
	}
}

// TestSlowClients: as many clients as there may be connect and send nothing, or ask
// and read nothing. The next one waits no longer than they are let.
func TestSlowClients(t *testing.T) {
	m := New(full())
	at := serve(t, m, "127.0.0.1:0")
	for i := range 3 * maxConnections {
		c, err := net.Dial("tcp", at.String())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		switch i % 3 {
		case 0:
			_, _ = io.WriteString(c, "GET /metr")
		case 1:
			_, _ = io.WriteString(c, get)
		}
	}
	if got := ask(t, at, get); !strings.HasPrefix(got, "HTTP/1.1 200 ") {
		t.Errorf("%.80q", got)
	}
}

// TestNoWaiting: a scrape takes what there is while a listing is under way.
func TestNoWaiting(t *testing.T) {
	m := New(full())
	at := serve(t, m, "127.0.0.1:0")
	c := m.NewCount()
	if got := ask(t, at, get); !strings.Contains(got, "katrace_probes_total") || strings.Contains(got, "katrace_sockets{") {
		t.Errorf("before the first listing: %s", got)
	}
	m.Listed(c)
	_ = m.NewCount()
	if got := ask(t, at, get); !strings.Contains(got, `katrace_sockets{keepalive="on"} 0`) {
		t.Errorf("after it: %s", got)
	}
}

// TestWriteFile: a reader never sees a part of the file, nor does a failure leave one.
func TestWriteFile(t *testing.T) {
	m := New(full())
	path := filepath.Join(t.TempDir(), "katrace.prom")
	for range 3 {
		_ = m.Event(event(events.KindProbe, nil))
		if err := m.WriteFile(path); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "katrace_probes_total{result=\"sent\"} 3\n") {
		t.Errorf("%v: %s", err, text)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v: node_exporter has to be able to read it", info.Mode(), err)
	}
	if err := m.WriteFile(filepath.Join(path, "below")); err == nil {
		t.Error("written below a file")
	}
	// Root could replace /dev/null. A pipe stands for it.
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	err = m.WriteFile(pipe)
	if info, statErr := os.Stat(pipe); err == nil || statErr != nil || info.Mode().Type() != fs.ModeNamedPipe {
		t.Errorf("%v, %v: what is no regular file is replaced", err, info)
	}
}
