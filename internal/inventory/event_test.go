// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestEvent holds what a listed socket says of itself against what it may say:
// only an observed answer makes a peer alive.
func TestEvent(t *testing.T) {
	keepalive := conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6}
	unsure := keepalive
	unsure.Unsure = conn.SettingInterval | conn.SettingCount
	probing := func(unanswered int, idleFor, timer time.Duration) Socket {
		return Socket{
			State:     conn.State{WaitsFor: conn.WaitsProbe, Keepalive: keepalive, Has: HasOn | conn.HasKeepalive | HasProbesOut | conn.HasIdleFor | hasTimer},
			Timer:     conn.Timer{IdleFor: idleFor},
			On:        true,
			ProbesOut: unanswered,
			expires:   timer,
		}
	}
	with := func(s Socket, change func(*conn.Settings)) Socket { change(&s.Keepalive); return s }
	userTimeout := func(k *conn.Settings) { k.UserTimeout = time.Hour }
	waits := func(s Socket, w conn.Waiting) Socket { s.WaitsFor = w; return s }
	stalled := func(s Socket, w conn.Waiting) Socket { s.WaitsFor, s.Has = w, s.Has|conn.HasUnacked; return s }
	type told struct {
		Verdict                  events.Verdict
		Unanswered, Next, DiesIn int // seconds; -1: not known
		Unsure                   conn.Setting
	}
	const s = time.Second
	for _, tt := range []struct {
		name   string
		socket Socket
		want   told
	}{
		{"idle", probing(0, 15*s, 45*s), told{0, 0, 45, 105, 0}},
		{"a first probe is out", probing(1, 61*s, 9*s), told{0, 1, 9, 59, 0}},
		{"two are", probing(2, 71*s, 9*s), told{events.VerdictSilent, 2, 9, 49, 0}},
		{"the next firing gives up", probing(6, 111*s, 9*s), told{events.VerdictSilent, 6, 9, 9, 0}},
		{"heard by data after three probes", probing(3, s/50, 60*s-s/50), told{0, 3, 59, 89, 0}},
		{"and silent for long enough again, the timer is late", probing(3, 61*s, 0), told{0, 3, 0, 30, 0}},
		{"the first probe since", probing(4, 61*s, 9*s), told{0, 4, 9, 29, 0}},
		{"the next one is due, the timer is late", probing(4, 71*s, 0), told{0, 4, 0, 20, 0}},
		{"the second one", probing(5, 72*s, 9*s), told{events.VerdictSilent, 5, 9, 19, 0}},
		{"heard by data after all of them: the next idle firing gives up", probing(6, s, 59*s), told{0, 6, 59, 59, 0}},
		{"probes that are late", probing(3, 130*s, 5*s), told{events.VerdictSilent, 3, 5, 35, 0}},
		{"interval 0 by sysctl", with(probing(2, 61*s, 0), func(k *conn.Settings) { k.Interval = 0 }), told{events.VerdictSilent, 2, 0, 0, 0}},
		{"255 probes", with(probing(255, 60*s+254*10*s, 10*s), userTimeout), told{events.VerdictSilent, 255, 10, 3600 - 2600, 0}},
		{"256, which the kernel counts as none", with(probing(0, 60*s+255*10*s, 10*s), userTimeout), told{events.VerdictSilent, -1, 10, 3600 - 2610, 0}},
		{"270, which the kernel counts as 14", with(probing(14, 60*s+269*10*s+s, 9*s), userTimeout), told{events.VerdictSilent, -1, 9, 3600 - 2751, 0}},
		{"keepalive switched on after an hour of silence", with(probing(0, 3500*s, 60*s), userTimeout), told{0, 0, 60, 100, 0}},
		{"data on its way", waits(probing(0, 2*s, 0), conn.WaitsRetransmission), told{0, -1, -1, -1, 0}},
		{"data that was sent again", stalled(probing(3, 2*s, 0), conn.WaitsRetransmission), told{events.VerdictSuspended, -1, -1, -1, 0}},
		{"a window that closed just now", waits(probing(0, 100*time.Millisecond, 0), conn.WaitsWindowProbe), told{0, -1, -1, -1, 0}},
		{"a closed window that was probed", stalled(probing(3, 100*time.Millisecond, 0), conn.WaitsWindowProbe), told{events.VerdictSuspended, -1, -1, -1, 0}},
		{"settings that equal the sysctls", Socket{State: conn.State{Keepalive: unsure, Has: conn.HasKeepalive}},
			told{0, -1, -1, -1, conn.SettingInterval | conn.SettingCount}},
		{"settings that are not known", Socket{}, told{0, -1, -1, -1, 0}},
	} {
		tt.socket.Seen = 3 * s
		tt.socket.foresee(250)
		listed := time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)
		e := tt.socket.Event(listed)
		seconds := func(d time.Duration, f conn.Fact) int {
			if e.Has&f == 0 {
				return -1
			}
			return int(d / s)
		}
		got := told{e.Verdict, e.Unanswered, seconds(e.Next, conn.HasNext), seconds(e.DiesIn, conn.HasDiesIn), e.Keepalive.Unsure}
		if e.Has&conn.HasUnanswered == 0 {
			got.Unanswered = -1
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if want := listed.Add(3 * s); !e.Time.Equal(want) || e.Kind != 0 {
			t.Errorf("%s: at %s, want %s; kind %s", tt.name, e.Time, want, e.Kind)
		}
	}
}

// TestEventTellsOwner: and where the owner is.
func TestEventTellsOwner(t *testing.T) {
	s := Socket{State: conn.State{Owner: conn.Owner{Process: conn.Process{PID: 812, Comm: "postgres"}, Cgroup: "/kubepods/pod0b9e5c1a/3f2a", Container: "3f2a", Pod: "0b9e5c1a"}}}
	e := s.Event(time.Time{})
	want := events.Event{State: conn.State{Owner: conn.Owner{Process: s.Process, Cgroup: s.Cgroup, Container: s.Container, Pod: s.Pod}}, Time: e.Time}
	if d := cmp.Diff(want, e, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// TestOnAndMax: with keepalive off a socket is left out by either method
// before it counts, and what is beyond the bound is counted.
func TestOnAndMax(t *testing.T) {
	eachMethod(t, func(t *testing.T, m Method) {
		on, off := connect(t, "127.0.0.1"), connect(t, "127.0.0.1")
		on.keepalive(t, 30, 5, 3, 0)
		l := open(t, Options{Method: m, On: true}).list(t)
		l.ofPair(t, on)
		for _, s := range l.Sockets {
			if s.Local == off.local {
				t.Errorf("keepalive is off, listed: %+v", s)
			}
			if s.Seen < 0 || s.Seen > l.Took.All {
				t.Errorf("seen after %s of %s", s.Seen, l.Took.All)
			}
		}
		other := connect(t, "127.0.0.1")
		other.keepalive(t, 30, 5, 3, 0)
		one := open(t, Options{Method: m, On: true, Max: 1})
		for _, l := range []*List{one.list(t), one.each(t)} {
			if len(l.Sockets) != 1 || l.More < 1 {
				t.Errorf("at most 1: %d, and %d more", len(l.Sockets), l.More)
			}
		}
	})
}
