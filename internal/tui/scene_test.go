// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/internal/events"
)

var update = flag.Bool("update", false, "write the golden files")

// golden compares what is drawn, without its colours, with a file in testdata.
func golden(t *testing.T, name string, lines []string) {
	t.Helper()
	var b strings.Builder
	for _, l := range lines {
		b.WriteString(strings.TrimRight(ansi.Strip(l), " ") + "\n")
	}
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")); diff != "" {
		t.Errorf("%s (-want +got, -update writes it):\n%s", path, diff)
	}
}

// testClock is a clock that is set by hand.
type testClock struct{ now time.Time }

func (c *testClock) after(d time.Duration) { c.now = c.now.Add(d) }

// scene is a store and a model with a clock of its own.
type scene struct {
	*model
	tb    testing.TB
	clock *testClock
	store *Store
}

func newScene(tb testing.TB, opt Options, width, height int) *scene {
	c := &testClock{epoch}
	opt.Now = func() time.Time { return c.now }
	s := NewStore(opt)
	m := newModel(s, opt)
	m.Init()
	sc := &scene{m, tb, c, s}
	sc.size(width, height)
	return sc
}

func (s *scene) size(w, h int) { s.Update(tea.WindowSizeMsg{Width: w, Height: h}) }

// tick lets time pass and takes a snapshot.
func (s *scene) tick(d time.Duration) {
	s.clock.after(d)
	s.Update(tickMsg{})
}

// press sends keys: names as key.Binding has them, or single characters.
func (s *scene) press(keys ...string) (cmd tea.Cmd) {
	named := map[string]rune{"enter": tea.KeyEnter, "esc": tea.KeyEscape, "up": tea.KeyUp, "down": tea.KeyDown, "pgdown": tea.KeyPgDown,
		"pgup": tea.KeyPgUp, "space": tea.KeySpace, "backspace": tea.KeyBackspace, "home": tea.KeyHome, "end": tea.KeyEnd, "tab": tea.KeyTab}
	for _, k := range keys {
		var p tea.KeyPressMsg
		if code, ok := named[k]; ok {
			p.Code = code
			if k == "space" {
				p.Text = " "
			}
		} else if rest, ok := strings.CutPrefix(k, "ctrl+"); ok {
			p.Code, p.Mod = rune(rest[0]), tea.ModCtrl
		} else {
			p.Code, p.Text = []rune(k)[0], k
		}
		_, cmd = s.Update(p)
		s.View() // as bubbletea does after every message
	}
	return cmd
}

func (s *scene) event(e events.Event) {
	s.tb.Helper()
	if e.Time.IsZero() {
		e.Time = s.clock.now
	}
	if err := s.store.Event(&e); err != nil {
		s.tb.Fatal(err)
	}
}

// text is the frame without colours.
func (s *scene) text() string { return ansi.Strip(strings.Join(s.lines(), "\n")) }

// ev makes an event about the nth peer of a database server.
func ev(kind events.Kind, n int, with ...func(*events.Event)) events.Event {
	e := events.Event{
		State: conn.State{Netns: 4026531840, Inode: uint64(81900 + n), Family: conn.IPv4, TCPState: conn.TCPEstablished, Local: netip.MustParseAddrPort("10.0.0.1:5432"), Remote: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(n)}), uint16(40000+n)), Keepalive: conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6, Inherited: conn.SettingCount}, Has: conn.HasUID | conn.HasKeepalive, Owner: conn.Owner{Process: conn.Process{PID: 800 + n, Comm: "postgres"}, UID: 105}},
		Kind:  kind,
	}
	for _, f := range with {
		f(&e)
	}
	return e
}

func unanswered(n int) func(*events.Event) {
	return func(e *events.Event) {
		e.Unanswered, e.Has = n, e.Has|conn.HasUnanswered
		e.IdleFor = e.Keepalive.Idle + time.Duration(n-1)*e.Keepalive.Interval
		e.Next = e.Keepalive.Interval
		e.DiesIn = e.Keepalive.DiesIn(n, e.IdleFor, e.Next)
		e.Has |= conn.HasIdleFor | conn.HasNext | conn.HasDiesIn
		if e.Kind == events.KindProbe {
			e.Seq, e.Has = uint32(n), e.Has|events.HasSeq
		}
		if n > 1 && e.Kind == events.KindProbe {
			e.Verdict = events.VerdictSilent
		}
	}
}

func verdict(v events.Verdict) func(*events.Event) {
	return func(e *events.Event) { e.Verdict = v }
}

func keepalive(k conn.Settings) func(*events.Event) {
	return func(e *events.Event) { e.Keepalive = k }
}

func answered(rtt time.Duration) func(*events.Event) {
	return func(e *events.Event) {
		e.Verdict, e.RTT, e.RTTExact = events.VerdictAlive, rtt, true
		e.Next, e.DiesIn = e.Keepalive.Idle, e.Keepalive.DiesIn(0, 0, e.Keepalive.Idle)
		e.Has |= events.HasRTT | conn.HasNext | conn.HasDiesIn
	}
}

// inPod is a container of a Kubernetes pod, as cri-o makes its cgroup.
func inPod(e *events.Event) {
	e.Container, e.Pod = strings.Repeat("3f2a9c0d", 8), "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"
	e.PodNamespace, e.PodName = "prod", "cart-7d9f8b6c5-x2x4k"
	e.Cgroup = "/kubepods.slice/kubepods-pod" + strings.ReplaceAll(e.Pod, "-", "_") + ".slice/crio-" + e.Container + ".scope"
}

func gaveUp(r events.Reason, errno string) func(*events.Event) {
	return func(e *events.Event) {
		e.Reason, e.Errno, e.Verdict = r, errno, events.VerdictTimedOut
	}
}

// endedBy is an end that keepalive did not bring about.
func endedBy(by events.By, rst events.RST, r events.Reason, errno string, v events.Verdict) events.Event {
	return ev(events.KindEnded, 1, func(e *events.Event) {
		e.By, e.RST, e.Reason, e.Errno, e.Verdict = by, rst, r, errno, v
		e.Retransmits, e.Unacked = 3, 100
		e.Has = e.Has&^(conn.HasNext|conn.HasDiesIn) | conn.HasUnacked
	})
}

// everyState plays one connection of each kind, and leaves the clock a moment later.
func (s *scene) everyState() {
	long := conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9,
		Inherited: conn.SettingIdle | conn.SettingInterval | conn.SettingCount}
	ut := conn.Settings{Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 9, UserTimeout: 20 * time.Second}
	for n := 30; n < 42; n++ { // alive
		for i := range 14 {
			s.event(ev(events.KindAnswer, n, answered(time.Duration(80+n*i%7*30)*time.Microsecond)))
		}
		s.clock.after(100 * time.Millisecond)
	}
	for i := 1; i <= 4; i++ {
		s.clock.after(10 * time.Second)
		s.event(ev(events.KindProbe, 13, unanswered(i)))
	}
	s.event(ev(events.KindEnabled, 20, keepalive(long), func(e *events.Event) {
		e.Next, e.DiesIn, e.Has = long.Idle, long.DiesIn(0, 0, long.Idle), e.Has|conn.HasNext|conn.HasDiesIn
	}))
	s.event(ev(events.KindProbe, 19, unanswered(1), inPod))
	s.event(ev(events.KindTimer, 18, keepalive(long), verdict(events.VerdictSuspended), func(e *events.Event) {
		e.Reason, e.Next, e.Has = events.ReasonDataInFlight, long.Idle, e.Has|conn.HasNext
		e.Process.Comm = "ja\x1b[31mva\u202e"
	}))
	s.event(ev(events.KindProbe, 17, verdict(events.VerdictCongested), func(e *events.Event) {
		e.SendError, e.Next, e.Has = events.Congested, conn.RetryCongested, e.Has|conn.HasNext|conn.HasUnanswered|events.HasSeq|conn.HasIdleFor
		e.IdleFor = time.Minute
	}))
	s.event(ev(events.KindProbe, 16, unanswered(3), verdict(events.VerdictUnreachable), func(e *events.Event) {
		e.Local, e.Remote = netip.MustParseAddrPort("[2001:db8:1::5]:443"), netip.MustParseAddrPort("[2001:db8:ffff:12::a3f1]:52110")
		e.Family, e.Process = conn.IPv6, conn.Process{}
	}))
	s.event(ev(events.KindICMP, 16, verdict(events.VerdictUnreachable), func(e *events.Event) {
		e.Local, e.Remote = netip.MustParseAddrPort("[2001:db8:1::5]:443"), netip.MustParseAddrPort("[2001:db8:ffff:12::a3f1]:52110")
		e.Family, e.Process = conn.IPv6, conn.Process{}
		e.ICMP = events.ICMP{Type: 1, Code: 3, Text: "address unreachable", From: netip.MustParseAddr("2001:db8:1::1")}
	}))
	s.event(ev(events.KindProbe, 15, unanswered(2), verdict(events.VerdictUnreachable), func(e *events.Event) { e.SendError = "EHOSTUNREACH" }))
	s.event(ev(events.KindProbe, 12, unanswered(5)))
	s.event(ev(events.KindProbe, 14, keepalive(ut), unanswered(1)))
	s.clock.after(5 * time.Second)
	s.event(ev(events.KindProbe, 14, keepalive(ut), unanswered(2)))
	s.event(ev(events.KindPeerReset, 11, unanswered(1), verdict(events.VerdictForgotten), func(e *events.Event) {
		e.RST = events.RSTUnknownConnection
		e.Errno = "ECONNRESET"
		e.Has &^= conn.HasNext | conn.HasDiesIn
	}))
	s.clock.after(2 * time.Second)
	s.event(ev(events.KindReset, 10, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT")))
	s.tick(1300 * time.Millisecond)
}
