// SPDX-License-Identifier: BSD-2-Clause

// Package containers holds what katrace says of real containers' sockets against
// what Podman says of the containers: ids, names, owners, cgroups; and runs katrace
// itself in a container.
//
//	make test-containers
//
// It needs root, and Debian's podman and runc. No image is fetched.
package containers

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
	"katrace/test/podman"
)

var program = flag.String("katrace", "", "the program to test")

func TestMain(m *testing.M) {
	podman.HoldIfAsked()
	flag.Parse()
	if *program == "" || os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "name the program to test, and be root: make test-containers")
		os.Exit(2)
	}
	os.Exit(podman.Main(m))
}

// image is what the containers' image holds.
func image(t *testing.T) map[string]string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{podman.HoldPath: self, "/katrace": *program}
}

// run runs katrace to its end.
func run(t *testing.T, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), *program, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal("katrace did not start")
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// socket is a line of the list.
type socket struct {
	Local, Remote struct{ Port uint16 }
	Process       struct {
		PID  int
		Comm string
	}
	Cgroup, Container, Pod, Workload string
	ContainerName                    string `json:"container_name"`
	PodNamespace                     string `json:"pod_namespace"`
	PodName                          string `json:"pod_name"`
}

// list lists what the test's holders hold that has keepalive on, by local port.
func list(t *testing.T, args ...string) map[uint16]socket {
	t.Helper()
	out, stderr, status := run(t, append([]string{"list", "--all-netns", "-o", "json", "--state", "established"}, args...)...)
	if status != 0 {
		t.Fatalf("list %q: status %d: %s", args, status, stderr)
	}
	return parseList(t, out)
}

func parseList(t *testing.T, out string) map[uint16]socket {
	t.Helper()
	got := map[uint16]socket{}
	for line := range strings.Lines(out) {
		var s socket
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		got[s.Local.Port] = s
	}
	return got
}

// stream is katrace -o json, running.
type stream struct {
	mu     sync.Mutex
	events []events.Event
}

func startStream(t *testing.T, args ...string) *stream {
	t.Helper()
	s := &stream{}
	cmd := exec.Command(*program, append([]string{"-o", "json"}, args...)...)
	var errs lockedBuffer
	cmd.Stderr = &errs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.read(t, out, cmd, &errs)
	return s
}

// read takes the program's events until the test ends, and waits until it is attached.
func (s *stream) read(t *testing.T, out interface{ Read([]byte) (int, error) }, cmd *exec.Cmd, errs *lockedBuffer) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if e, err := events.ParseJSON(bytes.Clone(lines.Bytes())); err == nil {
				s.mu.Lock()
				s.events = append(s.events, e)
				s.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-done
		_ = cmd.Wait()
	})
	podman.Await(t, "katrace to attach", func() bool {
		select {
		case <-done:
			t.Fatalf("katrace ended: %s", errs)
		default:
		}
		return strings.Contains(errs.String(), "attached by")
	})
}

// find is an event that is so.
func (s *stream) find(so func(*events.Event) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.events {
		if so(&s.events[i]) {
			return true
		}
	}
	return false
}

// lockedBuffer is a bytes.Buffer that two goroutines may use.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
