// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/group"
)

// pooled is the nth connection of a program to a database host.
func pooled(kind events.Kind, n int, host, comm string, with ...func(*events.Event)) events.Event {
	e := ev(kind, n, with...)
	e.Inode = uint64(5000 + n)
	e.Local = netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(33000+n))
	e.Remote = netip.AddrPortFrom(netip.MustParseAddr(host), 5432)
	e.Process = conn.Process{PID: 90, Comm: comm}
	return e
}

// deadHost plays 60 connections to three hosts, of which one dies: its 20 fall
// silent, and some of them are given up.
func (s *scene) deadHost() {
	hosts := []string{"10.98.0.2", "10.98.0.3", "10.98.0.4"}
	for n := range 60 {
		s.clock.after(time.Second)
		s.event(pooled(events.KindAnswer, n, hosts[n%3], "shop", answered(time.Millisecond), func(e *events.Event) {
			e.Has |= conn.HasIdleFor // it was heard now
		}))
	}
	for probe := 1; probe <= 6; probe++ {
		for n := 0; n < 60; n += 3 {
			s.clock.after(200 * time.Millisecond)
			s.event(pooled(events.KindProbe, n, hosts[0], "shop", unanswered(probe)))
		}
		s.clock.after(6 * time.Second)
	}
	for n := 0; n < 12; n += 3 {
		s.event(pooled(events.KindReset, n, hosts[0], "shop", unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT"), func(e *events.Event) {
			e.IdleFor = 2*time.Minute - time.Duration(n/3)*200*time.Millisecond
		}))
	}
	s.tick(time.Second)
}

// TestGroupsAreWhole: each grouping has all connections, in every verdict.
func TestGroupsAreWhole(t *testing.T) {
	s := newScene(t, testOptions, 120, 40)
	s.everyState()
	s.deadHost()
	for by := ungrouped + 1; by < numGroupings; by++ {
		if s.press("t"); s.groups.by != by || !s.grouped() {
			t.Fatalf("grouped by %d, want %d", s.groups.by, by)
		}
		if groupingWords[by] == "" {
			t.Errorf("%d has no words", by)
		}
		s.has(t, groupingWords[by])
		var counts [numClasses]int
		n := 0
		for _, g := range s.groups.rows {
			n += g.n
			for c := range numClasses {
				counts[c] += g.counts[c]
			}
			if g.name == "" {
				t.Errorf("%+v has no name", g.id)
			}
		}
		if counts != s.snap.Counts || n != s.snap.Kept() {
			t.Errorf("by %s: %d in %v, want %v", groupingWords[by], n, counts, s.snap.Counts)
		}
	}
	if s.press("t"); s.grouped() {
		t.Error("after the last grouping the connections are not shown")
	}
	for col := range numGroupColumns {
		spec := &groupSpecs[col]
		if spec.draw == nil || spec.less == nil || spec.rank == 0 || spec.least > spec.most || spec.title == "" && col != groupName {
			t.Errorf("column %d is not whole: %+v", col, spec)
		}
	}
}

// TestGroupIsEntered and left again, with what is selected and filtered.
func TestGroupIsEntered(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.everyState()
	s.deadHost()
	s.press("t", "down")
	if got := s.groups.rows[0].name; got != "10.98.0.2:5432" {
		t.Fatalf("the worst is %s", got)
	}
	s.has(t, "group 1/")
	s.press("enter")
	if n := len(s.snap.order); s.grouped() || n != 20 {
		t.Fatalf("%d connections in it, want 20", n)
	}
	s.has(t, "of 10.98.0.2:5432", "20 rows")
	s.press("d")
	if n := len(s.snap.order); n != 4 {
		t.Errorf("%d of them have ended, want 4", n)
	}
	s.press("down", "enter", "esc") // the detail
	if s.grouped() || s.detail.open {
		t.Fatal("esc does not close the detail first")
	}
	s.press("X", "X")
	if s.snap.EndedKept() == 0 {
		t.Error("ended connections of other groups were dismissed")
	}
	s.press("esc")
	if !s.grouped() || !s.groups.chosen || s.groups.rows[s.groups.selAt].name != "10.0.0.10 → :5432" {
		t.Errorf("after esc: grouped %t, %+v", s.grouped(), s.groups.rows)
	}
	s.press("d", "/")
	s.typed("shop")
	s.press("enter")
	if len(s.groups.rows) != 3 {
		t.Errorf("%d groups match, want 3", len(s.groups.rows))
	}
	s.press("esc", "esc")
	if s.grouped() || s.query.filter != nil {
		t.Errorf("esc does not end the filter and then the groups")
	}
}

// TestGroupNamedLate: a container whose name becomes known late is one group, with the
// name, and a program that is called "kernel" is not in the kernel's own.
func TestGroupNamedLate(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	late := pooled(events.KindAnswer, 1, "10.98.0.2", "shop", answered(time.Millisecond))
	late.Container = "3f2a9c0d8e1b77"
	named := pooled(events.KindAnswer, 2, "10.98.0.2", "shop", answered(time.Millisecond))
	named.Container, named.ContainerName = late.Container, "web"
	kernel := pooled(events.KindAnswer, 3, "10.98.0.2", "", answered(time.Millisecond))
	kernel.Process, kernel.HeldBy = conn.Process{}, conn.HeldByKernel
	for _, e := range []events.Event{late, named, kernel, pooled(events.KindAnswer, 4, "10.98.0.2", "kernel", answered(time.Millisecond))} {
		s.event(e)
	}
	s.tick(time.Second)
	s.press("t", "t")
	got := map[string]int{}
	for _, g := range s.groups.rows {
		got[g.name] = g.n
	}
	if want := map[string]int{"container web": 2, "kernel": 1, "kernel (program)": 1}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for s.groups.rows[s.groups.selAt].name != "container web" || !s.groups.chosen {
		s.press("down")
	}
	s.press("enter")
	s.has(t, "of container web")
}

// TestGroupOrders: each column orders, the other way round after r, and a click on a
// title does the same.
func TestGroupOrders(t *testing.T) {
	s := newScene(t, testOptions, 160, 24)
	s.deadHost()
	for n := range 3 {
		s.event(pooled(events.KindProbe, 100+n, "10.98.0.9", "shop", unanswered(3)))
	}
	s.event(pooled(events.KindAnswer, 110, "10.98.0.1", "shop", answered(time.Millisecond)))
	s.press("t")
	s.tick(time.Second)
	names := func() (all []string) {
		for _, g := range s.groups.rows {
			all = append(all, strings.TrimSuffix(strings.TrimPrefix(g.name, "10.98.0."), ":5432"))
		}
		return all
	}
	for _, tt := range []struct {
		col  groupColumn
		want []string
	}{
		{groupVerdict, []string{"2", "9", "3", "4", "1"}},
		{groupName, []string{"1", "2", "3", "4", "9"}},
		{groupCount, []string{"2", "3", "4", "9", "1"}},
		{groupBar, []string{"2", "9", "1", "3", "4"}},
		{groupSince, []string{"2", "9", "1", "3", "4"}},
		{groupDeath, []string{"2", "9", "1", "3", "4"}},
		{groupFigures, []string{"2", "3", "4", "9", "1"}},
	} {
		if s.groups.sort != tt.col || !slices.Equal(names(), tt.want) {
			t.Errorf("by column %d: %v, want %d: %v", s.groups.sort, names(), tt.col, tt.want)
		}
		s.press("s")
	}
	l := s.layout()
	at := func(col groupColumn) tea.MouseClickMsg {
		for _, p := range s.groups.placed {
			if p.col == col {
				return tea.MouseClickMsg{X: p.x, Y: l.titlesAt, Button: tea.MouseLeft}
			}
		}
		t.Fatalf("column %d is not there", col)
		return tea.MouseClickMsg{}
	}
	for _, want := range [][]string{{"1", "2", "3", "4", "9"}, {"9", "4", "3", "2", "1"}} {
		s.Update(at(groupName))
		if !slices.Equal(names(), want) {
			t.Errorf("after a click on the name: %v, want %v", names(), want)
		}
	}
	s.press("r")
	s.Update(tea.MouseClickMsg{X: 20, Y: l.rowsAt + 1, Button: tea.MouseLeft})
	if !s.groups.chosen || s.groups.selAt != 1 {
		t.Errorf("a click selects %d", s.groups.selAt)
	}
	s.Update(wheelMsg{x: 20, y: l.rowsAt, by: 1})
	if s.groups.selAt != 4 {
		t.Errorf("the wheel moves to %d", s.groups.selAt)
	}
	s.Update(tea.MouseClickMsg{X: 20, Y: l.rowsAt + 4, Button: tea.MouseLeft})
	if s.grouped() || len(s.snap.order) != 3 {
		t.Errorf("a click on the selected group does not open it")
	}
}

// TestFrozenGroups do not move, whatever comes.
func TestFrozenGroups(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	s.deadHost()
	s.press("t", "down", "space")
	before := s.groupsText()
	s.event(pooled(events.KindProbe, 1, "10.98.0.3", "shop", unanswered(3)))
	s.tick(time.Minute)
	if now := s.groupsText(); now != before || !strings.Contains(s.text(), "20 known connections to 10.98.0.2") {
		t.Errorf("frozen:\n%s\nwas:\n%s", s.text(), before)
	}
	s.press("space")
	if now := s.groupsText(); now == before {
		t.Errorf("after thawing nothing has changed:\n%s", now)
	}
}

func (s *scene) groupsText() string {
	return fmt.Sprint(strings.Join(strings.Split(s.text(), "\n")[3:18], "\n"))
}

// TestBar: each class has its share of the bar, and at least a cell; the whole is full.
func TestBar(t *testing.T) {
	for _, tt := range []struct {
		counts map[class]int
		width  int
		want   string
	}{
		{map[class]int{classAlive: 5000}, 8, "●●●●●●●●"},
		{map[class]int{classAlive: 5000, classSilent: 1}, 8, "▲●●●●●●●"},
		{map[class]int{classAlive: 1, classSilent: 5000}, 8, "▲▲▲▲▲▲▲●"},
		{map[class]int{classAlive: 10, classSilent: 10, classTimedOut: 20}, 8, "✖✖✖✖▲▲●●"},
		{map[class]int{classAlive: 1, classSilent: 1, classTimedOut: 1, classWaiting: 1}, 3, "✖▲●"},
		{map[class]int{classAlive: 100, classSilent: 1, classTimedOut: 1, classWaiting: 1}, 4, "✖▲●○"},
	} {
		var counts [numClasses]int
		all := 0
		for c, n := range tt.counts {
			counts[c] = n
			all += n
		}
		got := ""
		for c, n := range barCells(&counts, all, tt.width) {
			got += strings.Repeat(unicodeGlyphs.class[c], n)
		}
		if got != tt.want {
			t.Errorf("%v: %s, want %s", tt.counts, got, tt.want)
		}
	}
}

// TestIncidentIsSaid without being asked, once a majority is silent, and until some
// time after it is over.
func TestIncidentIsSaid(t *testing.T) {
	s := newScene(t, testOptions, 120, 24)
	s.everyState()
	s.tick(time.Second)
	s.hasNot(t, "connections to")
	s.deadHost()
	s.has(t, "20 known connections to 10.98.0.2 silent since 01:02:53Z: 16 still are, 4 ended")
	if line := s.lines()[2]; !strings.Contains(line, s.theme.alarm.open) {
		t.Errorf("it does not stand out: %q", line)
	}
	for n := 12; n < 60; n += 3 {
		s.event(pooled(events.KindAnswer, n, "10.98.0.2", "shop", answered(time.Millisecond), func(e *events.Event) { e.Has |= conn.HasIdleFor }))
	}
	s.tick(time.Second)
	s.has(t, "20 known connections to 10.98.0.2 silent from 01:02:53Z to 01:04:54Z: 16 recovered, 4 ended")
	s.tick(9 * time.Minute)
	s.has(t, "to 10.98.0.2 silent from")
	s.tick(2 * time.Minute)
	s.hasNot(t, "to 10.98.0.2 silent from")
}

// TestIncidentAfterClockSetBack: what fails then is said as before.
func TestIncidentAfterClockSetBack(t *testing.T) {
	s := newScene(t, testOptions, 120, 24)
	ahead := ev(events.KindProbe, 1, unanswered(1))
	ahead.Time = s.clock.now.Add(time.Hour)
	s.event(ahead)
	s.deadHost()
	s.has(t, "20 known connections to 10.98.0.2 silent since")
}

// TestIncidentOfAllSockets: where the sockets are listed, the known ones are all.
func TestIncidentOfAllSockets(t *testing.T) {
	s := newScene(t, testOptions, 120, 24)
	s.list()
	s.deadHost()
	s.has(t, "20 of 20 connections to 10.98.0.2 silent since")
	s.tick(time.Second)
	closed := func(n int) events.Event { return pooled(events.KindClosed, n, "10.98.0.2", "shop") }
	for n := 12; n < 60; n += 3 {
		s.event(closed(n))
	}
	s.tick(time.Second)
	s.has(t, "16 closed")
}

// TestSummary: what is printed at the end.
func TestSummary(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	if got := s.store.Summary(); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	s.event(ev(events.KindProbe, 1, unanswered(3)))
	if got := s.store.Summary(); got != "" {
		t.Errorf("of a single one: %q", got)
	}
	s.deadHost()
	want := `20 known connections to 10.98.0.2 silent since 01:02:03Z: 16 still are, 4 ended
21 connections not alive, by peer and service:
  10.98.0.2:5432     4 timed_out, 16 silent of 20, the first last heard 01:02:03Z
  10.0.0.1 -> :5432  1 silent of 1, the first last heard 01:00:43Z
`
	if got := s.store.Summary(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for n := range 30 {
		s.event(ev(events.KindProbe, 100+n, unanswered(3)))
	}
	if got := s.store.Summary(); !strings.HasSuffix(got, "\n  and 22 more groups\n") || strings.Count(got, "\n") != 2+summaryLines+1 {
		t.Errorf("of many: %s", got)
	}
}

// TestSummaryOfTooMany says that there were more.
func TestSummaryOfTooMany(t *testing.T) {
	s := newScene(t, Options{MaxConns: 2}, 80, 24)
	for n := range 4 {
		s.event(ev(events.KindProbe, n, unanswered(3)))
	}
	if got := s.store.Summary(); !strings.HasPrefix(got, "2 connections not alive, by peer and service (of the first 2 connections, and the latest 10,000 that ended):\n") {
		t.Error(got)
	}
}

// TestServiceOfListings: listings know who listens, which connections alone do not tell.
func TestServiceOfListings(t *testing.T) {
	s := newScene(t, testOptions, 80, 24)
	for n := range 3 {
		e := ev(events.KindProbe, n, unanswered(1))
		e.Local, e.Remote = netip.MustParseAddrPort("10.0.0.1:50051"), netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), uint16(4000+n))
		e.Local = netip.AddrPortFrom(e.Local.Addr(), uint16(50051+n))
		s.event(e)
	}
	s.press("t")
	if n := len(s.groups.rows); n != 3 || s.groups.rows[0].name != "10.0.0.9:4000" {
		t.Fatalf("%d groups, %s", n, s.groups.rows[0].name)
	}
	p := group.NewPorts()
	for n := range 3 {
		p.Add(&conn.State{Netns: 4026531840, TCPState: conn.TCPListen, Local: netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(50051+n))})
	}
	l := s.store.Listing()
	l.Ports(p)
	l.Done(0)
	s.tick(time.Second)
	if name := s.groups.rows[0].name; name != "10.0.0.9 → :50051" {
		t.Errorf("with a listing: %s", name)
	}
	s.press("space")
	if name := s.groups.rows[0].name; name != "10.0.0.9 → :50051" {
		t.Errorf("frozen: %s", name)
	}
}
