// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

var (
	program   = flag.String("katrace", "", "katrace")
	collector = flag.String("otelcol", "", "test/otelcol's collector")
	victoria  = flag.String("victoria-logs", "", "VictoriaLogs")
	hosts     = flag.Int("fleet-hosts", 1000, "hosts of the fleet")
	history   = flag.Int("fleet-history", 0, "lines of the day before, that are in the store already")
	pictures  = flag.String("pictures", "", "draw the dashboard into this directory")
)

func TestMain(m *testing.M) {
	flag.Parse()
	if *program == "" || *collector == "" || *victoria == "" {
		fmt.Fprintln(os.Stderr, "name the programs to test: make test-fleet")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// deploy is a file of deploy/.
func deploy(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../deploy", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// freePort is one of loopback that nobody listens on.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// A daemon is a server that runs while a test does.
type daemon struct {
	t    testing.TB
	cmd  *exec.Cmd
	said *os.File
	done chan struct{}
}

// run starts a server; what it says is shown if the test fails.
func run(t testing.TB, name string, args ...string) *daemon {
	t.Helper()
	said, err := os.Create(filepath.Join(t.TempDir(), "said"))
	if err != nil {
		t.Fatal(err)
	}
	d := &daemon{t: t, cmd: exec.Command(name, args...), said: said, done: make(chan struct{})}
	d.cmd.Stdout, d.cmd.Stderr = said, said
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = d.cmd.Wait(); close(d.done) }()
	t.Cleanup(func() {
		d.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("%s said:\n%s", name, d.words())
		}
		_ = said.Close()
	})
	return d
}

// end ends it by the signal and waits for it.
func (d *daemon) end(sig os.Signal) {
	_ = d.cmd.Process.Signal(sig)
	select {
	case <-d.done:
	case <-time.After(time.Minute):
		_ = d.cmd.Process.Kill()
		<-d.done
		d.t.Errorf("%s does not end by %v", d.cmd.Path, sig)
	}
}

// words are the last 8 KiB that it said.
func (d *daemon) words() []byte {
	text, _ := os.ReadFile(d.said.Name())
	return text[max(0, len(text)-8<<10):]
}

// waitFor waits until ready says so; what d says is shown where it ends before.
func waitFor(t testing.TB, limit time.Duration, what string, ready func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !ready(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited for %v: %s", limit, what)
		}
	}
}

// client asks servers on loopback.
var client = &http.Client{Timeout: time.Minute}

// get is what an address answers; its status has to be 200.
func get(address string, query url.Values) ([]byte, error) {
	if query != nil {
		address += "?" + query.Encode()
	}
	answer, err := client.Get(address)
	if err != nil {
		return nil, err
	}
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", answer.Status, bytes.TrimSpace(text))
	}
	return text, err
}

// answers says whether the address does, with status 200.
func answers(address string) func() bool {
	return func() bool { _, err := get(address, nil); return err == nil }
}

// output is what a command prints; it has to succeed.
func output(t testing.TB, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	text, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, text)
	}
	return string(text)
}

// writeJSON writes what is also YAML.
func writeJSON(t testing.TB, name string, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, text, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}
