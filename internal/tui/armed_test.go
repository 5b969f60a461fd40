// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestArmedBeforeChange: where the timer runs longer than the settings in force say,
// all that is said of the connection goes by the timer; and no longer once it is
// armed anew.
func TestArmedBeforeChange(t *testing.T) {
	const s = time.Second
	lowered := socket(1, 15*s, 0, func(e *events.Event) { // net.ipv4.tcp_keepalive_time, from 7200 to 60
		e.Keepalive.Inherited = conn.SettingIdle
		e.Next = 7185 * s
		e.DiesIn, e.ArmedBeforeChange = e.Keepalive.DiesIn(0, e.IdleFor, e.Next), true
	})
	enabled := ev(events.KindEnabled, 1, func(e *events.Event) { // after an hour of idleness
		e.IdleFor, e.Next = time.Hour, e.Keepalive.Idle
		e.DiesIn, e.ArmedBeforeChange = e.Keepalive.DiesIn(0, e.IdleFor, e.Next), true
		e.Has |= conn.HasIdleFor | conn.HasNext | conn.HasDiesIn
	})
	probed := socket(1, 61*s, 1, func(e *events.Event) { // net.ipv4.tcp_keepalive_intvl, from 75 to 10, a probe is out
		e.Next, e.ArmedBeforeChange = 74*s, true
	})
	for _, tt := range []struct {
		name      string
		stage     func(*scene)
		want, not []string
	}{
		{"a sysctl was lowered", func(s *scene) { s.list(lowered) },
			[]string{"a probe comes after 2h of silence, not after 60s, until TCP_KEEPIDLE is set on the socket, or SO_KEEPALIVE switched off and on, as katrace set --rearm does: katrace set --netns ",
				"the kernel would give up 2h1m after its last segment", "reaches it once the timer is armed anew", "A probe after 2h idle", "240s (Azure's load balancer), 350s (AWS NLB), 15m (IPVS)."},
			[]string{"set TCP_KEEPIDLE and", "120s after"}},
		{"switched on late", func(s *scene) { s.event(enabled) },
			[]string{"a probe comes after 1h1m of silence, not after 60s", "give up 1h2m after", "A probe after 1h1m idle"}, []string{"120s after"}},
		{"the interval was lowered", func(s *scene) { s.list(probed) }, []string{"a probe comes after 74s of silence, not after 60s"}, nil},
		{"and armed anew", func(s *scene) { s.list(lowered); s.list(socket(1, 15*time.Second, 0)) }, []string{"give up 120s after"}, []string{"armed", "middlebox"}},
		{"and a probe came", func(s *scene) { s.event(enabled); s.event(ev(events.KindProbe, 1, unanswered(1))) }, nil, []string{"armed", "middlebox"}},
		{"and data is sent again", func(s *scene) { s.list(lowered); s.list(socket(1, 15*time.Second, 0, suspended)) }, nil, []string{"armed", "middlebox"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, testOptions, 120, 40)
			tt.stage(s)
			s.tick(time.Second)
			f, now := s.store.row(s.snap.order[0]), s.now()
			got := strings.Join(advise(&f, now, nil), "\n")
			for _, w := range tt.want {
				if !strings.Contains(got, w) {
					t.Errorf("no %q in:\n%s", w, got)
				}
			}
			for _, w := range tt.not {
				if strings.Contains(got, w) {
					t.Errorf("%q in:\n%s", w, got)
				}
			}
			s.press("enter")
			if armed := strings.Contains(s.text(), "armed before a change"); armed != strings.Contains(got, "armed") {
				t.Errorf("the prediction says so: %v\n%s", armed, s.text())
			}
		})
	}
}

// TestListedStall: what a listing says of data that is sent again is told as the
// event suspended is, and is in the line that y copies.
func TestListedStall(t *testing.T) {
	s := newScene(t, testOptions, 120, 40)
	stalled := socket(1, 20*time.Second, 0, suspended, func(e *events.Event) {
		e.WaitsFor, e.Retransmits, e.Unacked, e.DiesIn = conn.WaitsRetransmission, 3, 100, 13*time.Minute
		e.Has |= conn.HasUnacked | conn.HasDiesIn
	})
	s.list(stalled)
	s.tick(time.Second)
	f, now := s.store.row(s.snap.order[0]), s.now()
	if got := strings.Join(advise(&f, now, nil), "\n"); !strings.Contains(got, "Data in flight (100 bytes, sent again 3 times)") || !strings.Contains(got, "gives up in 12m59s") {
		t.Error(got)
	}
	if e := f.event(); e.Data != stalled.Data || e.Has&conn.HasUnacked == 0 || e.DiesIn != 13*time.Minute {
		t.Errorf("%+v", e)
	}
	s.list(socket(1, time.Second, 0))
	s.tick(time.Second)
	if f = s.store.row(s.snap.order[0]); f.event().Has&conn.HasUnacked != 0 {
		t.Errorf("all is acknowledged: %+v", f.event())
	}
}
