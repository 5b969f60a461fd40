// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"slices"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/inventory"
)

func TestListFlags(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"-o yaml", `--output "yaml": want table or json`},
		{"--state up", `unknown state "up"`},
		{"--sort colour", `--sort "colour"`},
		{"--idle-limit soon", `--idle-limit "soon"`},
		{"--idle-limit -5s", `--idle-limit "-5s"`},
		{"--watch=1ms", `--watch 1ms: want 100ms or more`},
		{"--method magic", `--method "magic"`},
		{"--port 0", `--port "0"`},
		{"--pid x", `--pid "x"`},
		{"--cgroup a", `--cgroup "a"`},
		{"--addr 10.0.0.0/33", `--addr "10.0.0.0/33"`},
		{"--watch 1ms", `--watch 1ms: want 100ms or more`},
		{"--watch soon", `takes no argument, not "soon"`},
		{"5s", `takes no argument, not "5s"`},
		{"all", `takes no argument, not "all"`},
		{"--by colour", `--by "colour": unknown key to group by "colour" (one of: remote, service, process, container, pod, workload, settings, netns)`},
		{"--by", "flag needs an argument: --by"},
		{"--by remote,service,remote", "--by: remote is named twice"},
		{"--by remote --sort local", `--sort "local": want worst, remote, sockets, on, off, unanswered, silent, suspended or dies`},
		{"--by remote --sort service", `--sort "service": want worst, remote, sockets`},
		{"--sort worst", `--sort "worst": want state, local, remote`},
	} {
		wantUsageError(t, newListCommand(), tt.args, tt.want)
	}
}

func TestListFilters(t *testing.T) {
	established := func(comm string, pid int, cgroup string, on bool, idle time.Duration) inventory.Socket {
		return inventory.Socket{
			State: conn.State{
				TCPState: conn.TCPEstablished, Owner: conn.Owner{Process: conn.Process{PID: pid, Comm: comm}, Cgroup: cgroup},
				Keepalive: conn.Settings{Idle: idle, Interval: 10 * time.Second}, Has: inventory.HasOn | conn.HasKeepalive,
			},
			On: on,
		}
	}
	sockets := []inventory.Socket{
		established("postgres", 812, "/system.slice/postgresql.service", true, time.Minute),
		established("shop", 900, "/shop", false, time.Minute),
		{State: conn.State{TCPState: conn.TCPEstablished, Has: inventory.HasOn}, On: true},
		established("postgres", 813, "/", true, 2*time.Hour),
		{State: conn.State{TCPState: conn.TCPListen}},
		{State: conn.State{TCPState: conn.TCPFinWait2, WaitsFor: conn.WaitsFinWait2}},
	}
	sockets[3].Silent = true
	for _, tt := range []struct {
		name string
		o    listOptions
		want []int
	}{
		{"silent", listOptions{silent: true}, []int{3}},
		{"all", listOptions{}, []int{0, 1, 2, 3, 4, 5}},
		{"connections, for groups", listOptions{connections: true}, []int{0, 1, 2, 3}},
		{"off", listOptions{off: true}, []int{1}},
		{"idle limit", listOptions{idleLimit: conn.Middlebox{Forgets: 350 * time.Second}}, []int{1, 3}},
		{"pid", listOptions{filter: events.Filter{Owner: conn.OwnerFilter{PIDs: []int{812}}}}, []int{0}},
		{"comm", listOptions{filter: events.Filter{Owner: conn.OwnerFilter{Comms: []string{"postgres"}}}}, []int{0, 3}},
		{"cgroup", listOptions{filter: events.Filter{Owner: conn.OwnerFilter{Cgroups: []string{"/system.slice"}}}}, []int{0}},
		{"half a name of a cgroup", listOptions{filter: events.Filter{Owner: conn.OwnerFilter{Cgroups: []string{"/system"}}}}, nil},
	} {
		tt.o.hz = 250
		var got []int
		for i := range sockets {
			if tt.o.wants(&sockets[i]) {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
