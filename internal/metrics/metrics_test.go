// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/inventory"
	"katrace/test/hostile"
)

// text is what a scrape gives, without its comments.
func text(t *testing.T, m *Metrics) map[string]string {
	t.Helper()
	families, err := m.gather()
	if err != nil {
		t.Fatal(err)
	}
	series := map[string]string{}
	for _, f := range families {
		for _, metric := range f.Metric {
			var labels []string
			for _, l := range metric.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := strings.TrimPrefix(f.GetName(), "katrace_")
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			switch {
			case metric.Counter != nil:
				series[name] = fmt.Sprint(metric.Counter.GetValue())
			case metric.Gauge != nil:
				series[name] = fmt.Sprint(metric.Gauge.GetValue())
			case metric.Histogram != nil:
				series[name] = fmt.Sprint(metric.Histogram.GetSampleCount(), " of ", metric.Histogram.GetSampleSum())
			}
		}
	}
	return series
}

func event(kind events.Kind, set func(*events.Event)) *events.Event {
	e := &events.Event{Kind: kind, State: conn.State{Family: conn.IPv4, Remote: netip.MustParseAddrPort("10.1.2.3:80")}}
	if set != nil {
		set(e)
	}
	return e
}

// TestEvents: each event and what it counts.
func TestEvents(t *testing.T) {
	ended := func(e *events.Event) {
		e.Change, e.IdleFor, e.Has = events.ChangeEnded, 90*time.Second, conn.HasIdleFor
	}
	for _, tt := range []struct {
		event *events.Event
		want  []string
	}{
		{event(events.KindProbe, nil), []string{"probes_total{result=sent} 1"}},
		{event(events.KindProbe, func(e *events.Event) { e.SendError = events.Congested }), []string{"probes_total{result=congested} 1"}},
		{event(events.KindProbe, func(e *events.Event) { e.SendError = "EPERM" }), []string{"probes_total{result=failed} 1"}},
		{event(events.KindProbe, func(e *events.Event) { e.Change = events.ChangeSilent }), []string{"probes_total{result=sent} 1", "connections_silent_total 1"}},
		{event(events.KindProbe, func(e *events.Event) { e.SendError, e.Change = "EHOSTUNREACH", events.ChangeUnreachable }), []string{"probes_total{result=failed} 1", "connections_unreachable_total 1"}},
		{event(events.KindAnswer, func(e *events.Event) { e.RTT, e.RTTExact, e.Has = 3*time.Millisecond, true, events.HasRTT }),
			[]string{"answers_total 1", "answer_rtt_seconds 1 of 0.003"}},
		{event(events.KindAnswer, func(e *events.Event) { e.RTT, e.Has = 3*time.Millisecond, events.HasRTT }), []string{"answers_total 1"}}, // known to a jiffy
		{event(events.KindAnswer, func(e *events.Event) { e.AfterProbes, e.SilentFor, e.Change = 2, time.Minute, events.ChangeRecovered }),
			[]string{"answers_total 1", "connections_recovered_total 1", "recovered_silence_seconds 1 of 60"}},
		{event(events.KindProbed, nil), []string{"peer_probes_total 1"}},
		{event(events.KindReset, func(e *events.Event) { ended(e); e.Reason = events.ReasonCount }), []string{"ended_total{by=keepalive_count} 1", "silence_before_end_seconds 1 of 90"}},
		{event(events.KindReset, func(e *events.Event) { ended(e); e.Reason = events.ReasonUserTimeout }), []string{"ended_total{by=keepalive_user_timeout} 1", "silence_before_end_seconds 1 of 90"}},
		{event(events.KindPeerReset, func(e *events.Event) { e.RST = events.RSTUnknownConnection }), []string{"ended_total{by=peer_forgot} 1"}},
		{event(events.KindPeerReset, func(e *events.Event) { e.RST = events.RSTAbort }), []string{"ended_total{by=peer_abort} 1"}},
		{event(events.KindPeerReset, func(e *events.Event) { e.RST = events.RSTThisHost }), []string{"ended_total{by=this_host} 1"}},
		{event(events.KindPeerReset, nil), []string{"ended_total{by=peer_reset} 1"}},
		{event(events.KindEnded, func(e *events.Event) { e.By = events.ByRetransmission }), []string{"ended_total{by=retransmission} 1"}},
		{event(events.KindEnded, func(e *events.Event) { e.By = events.ByZeroWindow }), []string{"ended_total{by=zero_window} 1"}},
		{event(events.KindEnded, func(e *events.Event) { e.By = events.ByThisHost }), []string{"ended_total{by=this_host} 1"}},
		{event(events.KindEnded, func(e *events.Event) { e.By = events.ByPeer }), []string{"ended_total{by=peer_reset} 1"}},
		{event(events.KindEnded, nil), []string{"ended_total{by=unknown} 1"}},
		{event(events.KindSuspended, func(e *events.Event) { e.Change = events.ChangeSuspended }), []string{"connections_suspended_total 1"}},
		{event(events.KindResumed, func(e *events.Event) { e.Change = events.ChangeResumed }), nil},
		{event(events.KindICMP, func(e *events.Event) { e.ICMP.Type, e.ICMP.Code = 3, 13 }), []string{"icmp_errors_total{reason=prohibited} 1"}},
		{event(events.KindICMP, func(e *events.Event) { e.ICMP.Type, e.ICMP.Code = 11, 0 }), []string{"icmp_errors_total{reason=time_exceeded} 1"}},
		{event(events.KindICMP, func(e *events.Event) { e.Family, e.ICMP.Type, e.ICMP.Code = conn.IPv6, 1, 3 }), []string{"icmp_errors_total{reason=host} 1"}},
		{event(events.KindICMP, func(e *events.Event) { e.Family, e.ICMP.Type = conn.IPv6, 200 }), []string{"icmp_errors_total{reason=other} 1"}},
		{event(events.KindDropped, func(e *events.Event) { e.Drop = events.Drop{Direction: events.DirectionIn, Reason: "NETFILTER_DROP"} }), []string{"dropped_total{direction=in,reason=firewall} 1"}},
		{event(events.KindDropped, func(e *events.Event) { e.Drop = events.Drop{Direction: events.DirectionOut, Reason: "A_NEW_ONE"} }), []string{"dropped_total{direction=out,reason=other} 1"}},
		{event(events.KindLost, func(e *events.Event) { e.Lost, e.LeftOut = events.Lost{Ring: 1, Missed: 2, Disk: 4}, 8 }),
			[]string{"records_lost_total{class=ring} 1", "records_lost_total{class=missed} 2", "records_lost_total{class=disk} 4", "records_lost_total{class=left_out} 8"}},
		{event(events.KindHeartbeat, nil), nil},
	} {
		m := New(Options{ExactRTT: true, LogFile: true})
		before := text(t, m)
		if err := m.Event(tt.event); err != nil {
			t.Fatal(err)
		}
		want := map[string]bool{}
		for _, w := range tt.want {
			want[w] = true
		}
		for name, value := range text(t, m) {
			if before[name] != value && !want[name+" "+value] {
				t.Errorf("%s: changes %s to %s", tt.event.Kind, name, value)
			}
			delete(want, name+" "+value)
		}
		for w := range want {
			t.Errorf("%s: does not make %s", tt.event.Kind, w)
		}
	}
}

// TestDropClasses: what has no class of its own is exposed as well.
func TestDropClasses(t *testing.T) {
	for reason, want := range map[string]string{"NETFILTER_DROP": "firewall", "TC_EGRESS": "tc", "QDISC_DROP": "queue", "CPU_BACKLOG": "queue",
		"IP_RPFILTER": "rp_filter", "TCP_MD5NOTFOUND": "tcp", "NEIGH_FAILED": "neighbour", "XDP": "other", "NO_SUCH": "other"} {
		d := events.Drop{Direction: events.DirectionIn, Reason: reason}
		if got := d.Class(); got != want {
			t.Errorf("%s: %s, want %s", reason, got, want)
		}
	}
	if d := (events.Drop{Direction: events.DirectionIn, Where: "tcp_v4_rcv"}); d.Class() != "tcp" {
		t.Errorf("%s", d.Class())
	}
}

// TestNotKnown: what a backend cannot know is not exposed, and is no crash where it
// comes all the same.
func TestNotKnown(t *testing.T) {
	all := events.ParseUnknown(events.UnknownWords())
	m := New(Options{NotKnown: all})
	series := text(t, m)
	for name := range series {
		for _, hidden := range []string{"congested", "failed", "peer_forgot", "peer_abort", "icmp_errors", "dropped_total", "peer_probes", "unreachable", "rtt",
			"class=missed", "class=disk", "suppressed", "owner", "peer_ended", "sockets"} {
			if strings.Contains(name, hidden) {
				t.Errorf("%s is exposed", name)
			}
		}
	}
	for k := range events.Kinds() {
		e := event(events.Kind(k+1), func(e *events.Event) {
			e.SendError, e.RST, e.Change = "EPERM", events.RSTAbort, events.ChangeUnreachable
		})
		if err := m.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	if after := text(t, m); len(after) != len(series) {
		t.Errorf("%d series, then %d", len(series), len(after))
	}
}

// full is all that there can be.
func full() Options {
	return Options{ExactRTT: true, LogFile: true, Backend: "kprobe", Version: "1", Revision: "f00", Suppressed: func() uint64 { return 7 },
		Labels: Labels{Owner: ByUnit, Max: 50, Peers: []PeerGroup{{"lab", netip.MustParsePrefix("10.0.0.0/8")}, {"db", netip.MustParsePrefix("10.1.0.0/16")}}}}
}

// TestBounded: whatever the host has, so many series there are; and the names of
// owners, which anybody chooses, are valid.
func TestBounded(t *testing.T) {
	closed := full()
	closed.Labels = Labels{}
	for _, tt := range []struct {
		o    Options
		most int
	}{
		{closed, 170},
		// Of each owner: silent, the ends, and the bounds of detection.
		{full(), 170 + 52*(1+int(endedEnd)+len(detectionBounds.words())) + 3*(1+int(endedEnd)) + 1},
	} {
		m := New(tt.o)
		c := m.NewCount()
		for i := range 500_000 {
			s := inventory.Socket{On: i%2 == 0, State: conn.State{Has: inventory.HasOn | conn.HasKeepalive,
				Keepalive: conn.Settings{Idle: time.Duration(i) * time.Second, Interval: time.Second, Count: 3}}}
			s.Cgroup = fmt.Sprintf("/system.slice/%s%d.service", hostile.Names[i%len(hostile.Names)], i%10_000)
			c.Add(&s)
		}
		m.Listed(c)
		m.Connections(events.Connections{1: 500_000})
		for i := range 10_000 {
			e := event(events.KindEnded, func(e *events.Event) {
				e.By, e.Change, e.Cgroup = events.By(i%5), events.ChangeEnded, fmt.Sprintf("/a/%d.service", i)
			})
			if e.By == 0 {
				e.Kind, e.Change = events.KindProbe, events.ChangeSilent
			}
			if err := m.Event(e); err != nil {
				t.Fatal(err)
			}
		}
		series := text(t, m)
		if len(series) > tt.most {
			t.Errorf("%d series, want %d at most", len(series), tt.most)
		}
		if series["sockets{keepalive=on}"] != "250000" || series["sockets_longest_silence{upto=never}"] != "250000" {
			t.Errorf("%s on, %s never probed", series["sockets{keepalive=on}"], series["sockets_longest_silence{upto=never}"])
		}
		problems, err := testutil.GatherAndLint(m.registry)
		if err != nil || len(problems) > 0 {
			t.Errorf("%v, %v", problems, err)
		}
	}
}

// TestSums: a family with a label of the host's own sums up to the one without.
func TestSums(t *testing.T) {
	m := New(full())
	for i := range 1000 {
		e := event(events.KindPeerReset, func(e *events.Event) {
			e.Change, e.Cgroup = events.ChangeEnded, fmt.Sprintf("/a/%d.service", i%60)
			e.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i % 3), 0, 1}), 80)
			if i%10 == 0 {
				e.Remote = netip.MustParseAddrPort("[2001:db8::1]:80")
			}
		})
		if err := m.Event(e); err != nil {
			t.Fatal(err)
		}
	}
	sums := map[string]float64{}
	for name, value := range text(t, m) {
		family, _, _ := strings.Cut(name, "{")
		var n float64
		_, _ = fmt.Sscan(value, &n)
		sums[family] += n
	}
	if sums["ended_total"] != 1000 || sums["owner_ended_total"] != 1000 || sums["peer_ended_total"] != 1000 || sums["label_overflow_total"] != 1000/60*10+0 {
		t.Errorf("%v", sums)
	}
	series := text(t, m)
	if series["peer_ended_total{by=peer_reset,peer=db}"] == "" || series["peer_ended_total{by=peer_reset,peer=lab}"] == "" || series["peer_ended_total{by=peer_reset,peer=other}"] != "100" {
		t.Errorf("by peer: %v", series)
	}
}

// TestListing: the classes of settings.
func TestListing(t *testing.T) {
	m := New(Options{})
	c := m.NewCount()
	for _, s := range []inventory.Socket{
		{},
		{State: conn.State{Has: inventory.HasOn}},
		{On: true, State: conn.State{Has: inventory.HasOn | conn.HasKeepalive, Keepalive: conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9, Inherited: conn.AllSettings}}},
		{On: true, State: conn.State{Has: inventory.HasOn | conn.HasKeepalive, Keepalive: conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6, UserTimeout: time.Minute, Inherited: conn.SettingCount}}},
	} {
		c.Add(&s)
	}
	m.Listed(c)
	series := text(t, m)
	for _, want := range []string{
		"sockets{keepalive=unknown} 1", "sockets{keepalive=off} 1", "sockets{keepalive=on} 2",
		"sockets_longest_silence{upto=never} 1", "sockets_longest_silence{upto=7200s} 1", "sockets_longest_silence{upto=60s} 1",
		"sockets_detection{upto=never} 1", "sockets_detection{upto=9000s} 1", "sockets_detection{upto=300s} 1",
		"sockets_setting{parameter=idle,source=sysctl} 1", "sockets_setting{parameter=idle,source=socket} 1", "sockets_setting{parameter=cnt,source=sysctl} 2",
		"sockets_setting{parameter=user_timeout,source=socket} 1", "sockets_setting{parameter=user_timeout,source=unset} 1",
	} {
		name, value, _ := strings.Cut(want, " ")
		if series[name] != value {
			t.Errorf("%s is %q, want %s", name, series[name], value)
		}
	}
}

func TestUnit(t *testing.T) {
	for cgroup, want := range map[string]string{
		"/system.slice/nginx.service": "nginx.service", "/system.slice/nginx.service/worker": "nginx.service", "/user.slice/user-0.slice/session-3.scope": "session-3.scope",
		"/kubepods/burstable/pod0b9e": "pod0b9e", "/": "", "": "",
	} {
		if got := unit(cgroup); got != want {
			t.Errorf("%s: %q, want %q", cgroup, got, want)
		}
	}
}

// BenchmarkEvent is what counting adds to an event.
func BenchmarkEvent(b *testing.B) {
	m := New(full())
	e := event(events.KindProbe, nil)
	b.ReportAllocs()
	for b.Loop() {
		_ = m.Event(e)
	}
}

// BenchmarkListed is what a listed socket costs.
func BenchmarkListed(b *testing.B) {
	m := New(Options{})
	c := m.NewCount()
	s := inventory.Socket{On: true}
	s.Has = inventory.HasOn | conn.HasKeepalive
	s.Keepalive = conn.Settings{Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9, Inherited: conn.SettingIdle | conn.SettingInterval}
	b.ReportAllocs()
	for b.Loop() {
		c.Add(&s)
	}
}
