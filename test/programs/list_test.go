// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// settings are what a socket should have by its program's configuration.
// Values that the program does not set are those of the sysctls.
type settings struct {
	Comm                         string
	On                           bool
	Idle, Interval, Count, UserT int      // seconds; 0: not set by the program
	Own                          []string // filled in by expect: the keys of those that are set
}

// The sysctls of a new network namespace (tcp_sk_init).
const (
	sysctlIdle     = 7200
	sysctlInterval = 75
	sysctlCount    = 9
)

// off is keepalive not switched on, with no value set.
func off(comm string) settings { return settings{Comm: comm} }

// inherits is keepalive on, with no value set.
func inherits(comm string) settings { return settings{Comm: comm, On: true} }

// sets is keepalive on with values of its own, 0: not set.
func sets(comm string, idle, interval, count int) settings {
	return settings{Comm: comm, On: true, Idle: idle, Interval: interval, Count: count}
}

// expect fills in what is inherited. Netlink does not tell who set a value that
// is the sysctl's as well.
func (s settings) expect(method string) settings {
	for _, v := range []struct {
		key    string
		value  *int
		sysctl int
	}{{"idle", &s.Idle, sysctlIdle}, {"intvl", &s.Interval, sysctlInterval}, {"cnt", &s.Count, sysctlCount}} {
		switch *v.value {
		case 0:
			*v.value = v.sysctl
			continue
		case v.sysctl:
			if method == "netlink" {
				continue
			}
		}
		s.Own = append(s.Own, v.key)
	}
	return s
}

// conn is a connection of a program to a port of this namespace.
type conn struct {
	name   string
	pid    int    // of the client
	port   uint16 // of the server
	client settings
	server settings
}

// socket is a line of katrace list -o json.
type socket struct {
	State         string
	Local, Remote struct{ Port uint16 }
	Process       struct {
		PID  int
		Comm string
	}
	Keepalive struct {
		On        *bool
		IdleMS    int `json:"idle_ms"`
		IntvlMS   int `json:"intvl_ms"`
		Cnt       int
		UserMS    int `json:"user_timeout_ms"`
		Inherited *[]string
		Set       *[]string
	}
}

// settings are what katrace says of the socket.
func (s *socket) settings() (settings, error) {
	k := &s.Keepalive
	if k.On == nil {
		return settings{}, errors.New("keepalive on or off is not known")
	}
	got := settings{s.Process.Comm, *k.On, k.IdleMS / 1000, k.IntvlMS / 1000, k.Cnt, k.UserMS / 1000, nil}
	switch {
	case k.Inherited != nil:
		for _, key := range []string{"idle", "intvl", "cnt"} {
			if !slices.Contains(*k.Inherited, key) {
				got.Own = append(got.Own, key)
			}
		}
	case k.Set != nil && len(*k.Set) > 0:
		got.Own = *k.Set
	}
	return got, nil
}

// list is katrace list.
func list(t *testing.T, method string) []socket {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), *program, "list", "--method", method, "--state", "established", "-o", "json").Output()
	if err != nil {
		t.Fatalf("katrace list --method %s: %v", method, err)
	}
	var all []socket
	for line := range strings.Lines(string(out)) {
		var s socket
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, s)
	}
	return all
}

// wrong says how the list differs from what the connection should be; "" where
// it does not.
func (c *conn) wrong(sockets []socket, method string) string {
	client := slices.IndexFunc(sockets, func(s socket) bool { return s.Process.PID == c.pid && s.Remote.Port == c.port })
	if client < 0 {
		return fmt.Sprintf("process %d has no connection to port %d", c.pid, c.port)
	}
	port := sockets[client].Local.Port
	server := slices.IndexFunc(sockets, func(s socket) bool { return s.Local.Port == c.port && s.Remote.Port == port })
	if server < 0 {
		return fmt.Sprintf("port %d has no connection from port %d", c.port, port)
	}
	var out string
	for _, end := range []struct {
		name string
		at   int
		want settings
	}{{"client", client, c.client}, {"server", server, c.server}} {
		got, err := sockets[end.at].settings()
		if err != nil {
			return end.name + ": " + err.Error()
		}
		if diff := cmp.Diff(end.want.expect(method), got); diff != "" {
			out += fmt.Sprintf("%s: as configured (-), as listed (+):\n%s", end.name, diff)
		}
	}
	return out
}

// check lists until the connection is as it should be: programs set their
// options some time after connecting.
func (c *conn) check(t *testing.T, method string) {
	t.Helper()
	var wrong string
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if wrong = c.wrong(list(t, method), method); wrong == "" {
			return
		}
	}
	t.Error(wrong)
}

// methods are those that this kernel allows.
func methods(t *testing.T) []string {
	t.Helper()
	err := exec.CommandContext(t.Context(), *program, "list", "--method", "bpf").Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return []string{"bpf", "netlink"}
	case errors.As(err, &exit) && exit.ExitCode() == 3:
		t.Log("no BPF iterator here: netlink alone")
		return []string{"netlink"}
	}
	t.Fatal(err)
	return nil
}
