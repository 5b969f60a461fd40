// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/loader"
)

// TestInKernel: what the kernel does by itself is not taken for a process's: it
// uses sockets (NFS, where the guest has the modules), and BPF programs switch
// keepalive on.
func TestInKernel(t *testing.T) {
	var tellers []loader.Backend
	for _, by := range backends() {
		if by.Facts().Enabled {
			tellers = append(tellers, by)
		}
	}
	n, missing := newNFS(t)
	if n == nil && len(tellers) == 0 {
		t.Skip("not possible here: " + missing + ", and this backend does not report who switches keepalive on")
	}
	child := startEnabler(t)
	pid := child.Cmd.Process.Pid
	only := []string{"--netns", fmt.Sprintf("/proc/%d/ns/net", pid)}
	tracing := tellers
	if n != nil {
		only, tracing = append(only, "--netns", n.namespace()), backends()
	}
	runs := map[loader.Backend]*run{}
	for _, by := range tracing {
		runs[by] = launch(t, by, only...)
	}
	for _, r := range runs {
		r.attached()
	}
	if n != nil {
		n.mount(t)
	}
	if _, err := child.In.Write([]byte{0}); err != nil {
		t.Fatal(err)
	}
	var ports enabled
	if err := json.Unmarshal([]byte(child.Line(t)), &ports); err != nil {
		t.Fatal(err)
	}
	for _, by := range tellers {
		t.Run("enabled/"+string(by), func(t *testing.T) { ports.check(t, runs[by], pid) })
	}
	t.Run("nfs", func(t *testing.T) {
		if n == nil {
			t.Skip("not possible here: " + missing)
		}
		client, server := n.holders(t)
		t.Run("list", func(t *testing.T) { n.checkList(t, client, server) })
		for by, r := range runs {
			t.Run(string(by), func(t *testing.T) { n.checkProbe(t, r, client) })
		}
	})
	for _, r := range runs {
		r.stop()
	}
}

// checkProbe: the client's end sends a probe when it has been idle for a minute,
// and that is the kernel's.
func (n *nfs) checkProbe(t *testing.T, r *run, client held) {
	var probe events.Event
	waitFor(t, 3*time.Minute, "the client's probe", func() bool {
		for _, e := range r.seen() {
			if probe = e; e.Kind == events.KindProbe && e.Netns == n.inum {
				return true
			}
		}
		return false
	})
	if probe.Remote.Port() != nfsPort || probe.HeldBy.String() != client.HeldBy || probe.Module != client.Module || probe.Process != (conn.Process{}) || probe.Keepalive != n.settings() {
		t.Errorf("%+v, want it of the client's end, held by %q, module %q, no process, and %+v", probe, client.HeldBy, client.Module, n.settings())
	}
}
