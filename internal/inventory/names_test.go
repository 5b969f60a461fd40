// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"fmt"
	"testing"

	"katrace/internal/conn"
	"katrace/internal/owner"
)

// TestLateNames: sockets whose container's name was not read in time are counted. A
// user can have so many containers that their names are not all read in a second.
func TestLateNames(t *testing.T) {
	g := gatherer{o: &Options{Names: owner.OpenNames("", true)}, list: &List{}}
	for i := range 2000 {
		g.list.Sockets = append(g.list.Sockets, Socket{State: conn.State{Owner: conn.Owner{
			HeldBy: conn.HeldByKernel, Container: fmt.Sprintf("%064x", i), Cgroup: "/user.slice/user-4294967294.slice/x",
		}}})
	}
	paths := owner.NewCgroupPaths()
	defer paths.Close()
	g.each(func(s *Socket) { g.owner(nil, paths, s) })
	g.end()
	if l := g.list.Lacks; len(l) != 1 || l[0].What != LateNames || l[0].Sockets == 0 || l[0].Sockets == 2000 {
		t.Errorf("got %+v", l)
	}
}
