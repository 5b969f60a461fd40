// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"katrace/internal/conn"
	"katrace/internal/owner"
)

// TestLateNames: sockets whose container's name was not read in time are counted. A
// user can have so many containers that their names are not all read in a second.
func TestLateNames(t *testing.T) {
	g := gatherer{names: owner.OpenNames("", true).Fill, list: &List{}}
	for i := range 2000 {
		g.list.Sockets = append(g.list.Sockets, Socket{State: conn.State{Owner: conn.Owner{
			HeldBy: conn.HeldByKernel, Container: fmt.Sprintf("%064x", i), Cgroup: "/user.slice/user-4294967294.slice/x",
		}}})
	}
	g.owners(nil)
	if l := g.list.Lacks; len(l) != 1 || l[0].What != LateNames || l[0].Sockets == 0 || l[0].Sockets == 2000 {
		t.Errorf("got %+v", l)
	}
}

// TestNamesInTurn: no name is looked for while another one is, which would be late for
// that, however many sockets there are.
func TestNamesInTurn(t *testing.T) {
	var under atomic.Int32
	g := gatherer{list: &List{Sockets: make([]Socket, 3*pieceRows)}, names: func(*conn.Owner) bool {
		defer under.Add(-1)
		if under.Add(1) > 1 {
			t.Error("two at once")
		}
		runtime.Gosched()
		return true
	}}
	g.owners(&owner.Table{})
	if l := g.list.Lacks; len(l) != 1 || l[0].What != LateNames || l[0].Sockets != 3*pieceRows {
		t.Errorf("got %+v", l)
	}
}
