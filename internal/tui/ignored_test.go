// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// TestProbesIgnored: that something drops probes is said of a peer whose data came
// and whose answers never did; not where anything else may explain that.
func TestProbesIgnored(t *testing.T) {
	// A silence of so many probes, that the peer's data ends: the kernel's count stays.
	silence := func(probes int) []events.Event {
		var list []events.Event
		for n := range probes {
			list = append(list, ev(events.KindProbe, 1, unanswered(n+1)))
		}
		return append(list, ev(events.KindAnswer, 1, verdict(events.VerdictAlive), unanswered(probes), func(e *events.Event) {
			if probes > 1 {
				e.AfterProbes, e.SilentFor = probes, time.Duration(probes)*10*time.Second
			}
		}))
	}
	join := slices.Concat[[]events.Event]
	three := join(silence(2), silence(3), silence(2))
	dies := ev(events.KindReset, 1, unanswered(6), gaveUp(events.ReasonCount, "ETIMEDOUT"))
	silent := []events.Event{ev(events.KindProbe, 1, unanswered(1)), ev(events.KindProbe, 1, unanswered(2))}
	acked := ev(events.KindAnswer, 1, verdict(events.VerdictAlive))
	for _, tt := range []struct {
		name   string
		events []events.Event
		said   bool
	}{
		{"three silences that data ended", three, true},
		{"silent again", join(three, silent), true},
		{"given up", join(three, []events.Event{dies}), true},
		{"two are not enough", join(silence(2), silence(3)), false},
		{"of one probe each: the data was quicker", join(silence(1), silence(1), silence(1)), false},
		{"a probe was answered before", join([]events.Event{ev(events.KindAnswer, 1, answered(1))}, three), false},
		{"an answer that may be one to a probe", join(silence(2), []events.Event{acked}, silence(2), silence(2)), false},
		{"this host drops the answers", join(three, silent, []events.Event{ev(events.KindDropped, 1, func(e *events.Event) {
			e.Drop = events.Drop{Direction: events.DirectionIn, Reason: "NETFILTER_DROP", Text: "nftables", Where: "nft_do_chain"}
		})}), false},
		{"a router said it", join(three, []events.Event{ev(events.KindICMP, 1, func(e *events.Event) {
			e.ICMP = events.ICMP{Type: 3, Code: 1, Text: "host unreachable"}
		})}), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, now := row(t, tt.events...)
			text := strings.Join(advise(&f, now, nil), "\n")
			if said := strings.Contains(text, "3 times the peer left probes unanswered and then sent data"); said != tt.said {
				t.Errorf("said: %v, want %v:\n%s", said, tt.said, text)
			}
			if tt.said && strings.Contains(text, "The peer is down") {
				t.Errorf("it is not down:\n%s", text)
			}
		})
	}
}

// TestFarEndHere: where the other end is a process beside this one it is named,
// from the list or from the events of its socket.
func TestFarEndHere(t *testing.T) {
	near := func(kind events.Kind) events.Event { return ev(kind, 1) }
	// mirrored is the other end of near, as the proxy's socket.
	mirrored := func(kind events.Kind, with ...func(*events.Event)) events.Event {
		e := near(kind)
		e.Local, e.Remote, e.Inode = e.Remote, e.Local, 99999
		e.Process = conn.Process{PID: 77, Comm: "socat"}
		for _, f := range with {
			f(&e)
		}
		return e
	}
	const says = "socat[77] holds it"
	for _, tt := range []struct {
		name string
		far  []events.Event
		said bool
	}{
		{"it answers probes", []events.Event{mirrored(events.KindProbed)}, true},
		{"it is listed", []events.Event{mirrored(0)}, true},
		{"on another host", nil, false},
		{"in another namespace", []events.Event{mirrored(events.KindProbed, func(e *events.Event) { e.Netns++ })}, false},
		{"another connection to the same port", []events.Event{mirrored(events.KindProbed, func(e *events.Event) {
			e.Remote = netip.AddrPortFrom(e.Remote.Addr(), e.Remote.Port()+1)
		})}, false},
		{"whose it is is not known", []events.Event{mirrored(events.KindProbed, func(e *events.Event) { e.Process = conn.Process{} })}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newScene(t, testOptions, 80, 24)
			s.event(near(events.KindProbe))
			c := s.store.byConn.get((&conn.State{Netns: 4026531840, Local: near(0).Local, Remote: near(0).Remote}).ID())
			for _, e := range tt.far {
				if e.Kind == 0 {
					s.list(e)
				} else {
					s.event(e)
				}
			}
			s.tick(time.Second)
			for what, f := range map[string]facts{"live": s.store.row(c), "frozen": s.store.freeze(nil).row(c)} {
				text := strings.Join(advise(&f, s.now(), nil), "\n")
				if said := strings.Contains(text, says); said != tt.said {
					t.Errorf("%s: said: %v, want %v:\n%s", what, said, tt.said, text)
				}
			}
		})
	}
}
