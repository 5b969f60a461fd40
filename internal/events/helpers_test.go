// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"flag"
	"net/netip"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// sameAddrs lets cmp compare what hides its fields, by ==.
var sameAddrs = cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })}

// The connection that most tests tell of.
var (
	someTime   = time.Date(2026, 11, 22, 1, 2, 3, 123456789, time.UTC)
	someLocal  = netip.MustParseAddrPort("10.0.0.1:5432")
	someRemote = netip.MustParseAddrPort("10.0.0.9:40122")
	someKA     = conn.Settings{Idle: time.Minute, Interval: 10 * time.Second, Count: 6, Inherited: conn.SettingCount}
)

// jiffy is the tick of the tests' kernel, HZ=250.
const (
	jiffy  = 4 * time.Millisecond
	second = 250 // in jiffies
)

// probeRecord is the record of a first probe on that connection.
func probeRecord() loader.Record {
	var r loader.Record
	r.Time, r.Sk, r.Inode, r.Netns, r.Uid = 1_000_000_000, 0xffff8881_00000000, 81932, 4026531840, 105
	r.Family, r.Local, r.Remote, r.LocalPort, r.RemotePort = unix.AF_INET, [16]byte{10, 0, 0, 1}, [16]byte{10, 0, 0, 9}, 5432, 40122
	r.Seq, r.Idle, r.Intvl, r.Cnt, r.Inherited, r.IdleFor = 1000, 60*second, 10*second, 6, uint8(conn.SettingCount), 60*second
	r.Kind, r.State, r.Flags, r.Probes = loader.RecordProbe, uint8(conn.TCPEstablished), loader.FlagRet, 1
	return r
}

// someEvent is an event of that connection with the facts that each has.
func someEvent(k Kind) Event {
	return Event{
		State: conn.State{Netns: 4026531840, Inode: 81932, Family: conn.IPv4, TCPState: conn.TCPEstablished, Local: someLocal, Remote: someRemote, Keepalive: someKA, Has: conn.HasUID | conn.HasKeepalive | conn.HasIdleFor, Owner: conn.Owner{UID: 105}},
		Timer: conn.Timer{IdleFor: 70 * time.Second},
		Time:  someTime,
		Kind:  k,
	}
}

type namedEvent struct {
	name  string
	event Event
}

// everyKind is one event of each kind, and the variants that are said in other words.
func everyKind() []namedEvent {
	var all []namedEvent
	add := func(name string, k Kind, set func(*Event)) {
		e := someEvent(k)
		set(&e)
		all = append(all, namedEvent{name, e})
	}
	add("silent", KindProbe, func(e *Event) {
		e.Process, e.Cgroup, e.Container = conn.Process{PID: 812, Comm: "postgres"}, "/system.slice/postgresql.service", "3f2a"
		e.Unanswered, e.Seq, e.Next, e.DiesIn, e.Verdict = 2, 1000, 10*time.Second, 50*time.Second, VerdictSilent
		e.Has |= conn.HasUnanswered | HasSeq | conn.HasNext | conn.HasDiesIn
	})
	add("first probe, user timeout", KindProbe, func(e *Event) {
		e.Keepalive.UserTimeout = 30 * time.Second
		e.Unanswered, e.Seq, e.Next, e.DiesIn = 1, 4294967295, 10*time.Second, 10*time.Second
		e.Has |= conn.HasUnanswered | HasSeq | conn.HasNext | conn.HasDiesIn
	})
	add("did not leave", KindProbe, func(e *Event) {
		e.Unanswered, e.Next, e.DiesIn, e.SendError, e.Verdict = 1, 10*time.Second, 60*time.Second, "EHOSTUNREACH", VerdictUnreachable
		e.Has |= conn.HasUnanswered | HasSeq | conn.HasNext | conn.HasDiesIn
	})
	add("congested", KindProbe, func(e *Event) {
		e.Next, e.SendError, e.Verdict = conn.RetryCongested, Congested, VerdictCongested
		e.Has |= conn.HasUnanswered | HasSeq | conn.HasNext
	})
	add("to a jiffy", KindAnswer, func(e *Event) {
		e.RTT, e.Verdict, e.Has = 12*time.Millisecond, VerdictAlive, e.Has|HasRTT
	})
	add("below a jiffy", KindAnswer, func(e *Event) { e.Verdict, e.Has = VerdictAlive, e.Has|HasRTT })
	add("exact, next", KindAnswer, func(e *Event) {
		e.RTT, e.RTTExact, e.Verdict = 84*time.Microsecond, true, VerdictAlive
		e.Next, e.DiesIn, e.Has = time.Minute, 2*time.Minute, e.Has|HasRTT|conn.HasNext|conn.HasDiesIn
	})
	add("recovery", KindAnswer, func(e *Event) {
		e.RTT, e.RTTExact, e.Verdict = 84*time.Microsecond, true, VerdictAlive
		e.AfterProbes, e.SilentFor, e.Change, e.Has = 3, 90*time.Second, ChangeRecovered, e.Has|HasRTT
	})
	add("not known how many", KindProbe, func(e *Event) {
		e.Next, e.Verdict, e.Has = 10*time.Second, VerdictSilent, e.Has|HasSeq|conn.HasNext
	})
	add("given up, not known how many", KindReset, func(e *Event) {
		e.Keepalive.UserTimeout = 30 * time.Second
		e.Reason, e.Errno, e.Verdict = ReasonUserTimeout, "ETIMEDOUT", VerdictTimedOut
	})
	add("count", KindReset, func(e *Event) {
		e.Unanswered, e.Reason, e.Errno, e.Verdict, e.Has = 6, ReasonCount, "ETIMEDOUT", VerdictTimedOut, e.Has|conn.HasUnanswered
	})
	add("user timeout", KindReset, func(e *Event) {
		e.Keepalive.UserTimeout = 30 * time.Second
		e.Unanswered, e.Reason, e.Errno, e.Verdict, e.Has = 1, ReasonUserTimeout, "EHOSTUNREACH", VerdictUnreachable, e.Has|conn.HasUnanswered
	})
	for _, r := range []struct {
		rst     RST
		verdict Verdict
	}{{0, VerdictReset}, {RSTUnknownConnection, VerdictForgotten}, {RSTAbort, VerdictAborted}, {RSTThisHost, VerdictReset}} {
		add("rst "+r.rst.String(), KindPeerReset, func(e *Event) {
			e.Unanswered, e.Errno, e.RST, e.Verdict, e.Has = 1, "ECONNRESET", r.rst, r.verdict, e.Has|conn.HasUnanswered
		})
	}
	for h := conn.HeldByAcceptQueue; h <= conn.HeldByKernel; h++ {
		add("held by "+h.String(), KindProbe, func(e *Event) {
			if e.HeldBy = h; h == conn.HeldByKernel {
				e.Module = "sunrpc"
			} else {
				e.Process = conn.Process{PID: 812, Comm: "sshd"}
			}
			e.Unanswered, e.Next, e.Has = 1, 10*time.Second, e.Has|conn.HasUnanswered|HasSeq|conn.HasNext
		})
	}
	add("router", KindICMP, func(e *Event) {
		e.ICMP = ICMP{3, 1, "host unreachable", netip.MustParseAddr("10.0.0.254")}
		e.Unanswered, e.Verdict, e.Has = 1, VerdictUnreachable, e.Has|conn.HasUnanswered
	})
	for _, d := range []Drop{
		{DirectionIn, "NETFILTER_DROP", "nftables", "nft_do_chain"},
		{DirectionOut, "TC_EGRESS", "tc on the way out of an interface", "sch_handle_egress"},
		{DirectionIn, "", "the firewall (nftables, iptables)", "nf_hook_slow"},
		{DirectionOut, "A_NEW_ONE", "", "a_new_function"},
		{DirectionIn, "IP_RPFILTER", "the reverse path filter (rp_filter)", ""},
	} {
		add("dropped "+d.Direction.String()+" "+d.Reason, KindDropped, func(e *Event) {
			e.Drop, e.Unanswered, e.Has = d, 1, e.Has|conn.HasUnanswered
		})
	}
	add("by the peer", KindProbed, func(e *Event) { e.Has &^= conn.HasIdleFor; e.IdleFor = 0; e.UID = 0 })
	add("setsockopt", KindEnabled, func(e *Event) {
		e.Family, e.Local, e.Remote = conn.IPv6, netip.MustParseAddrPort("[2001:db8::1]:443"), netip.MustParseAddrPort("[2001:db8::2]:50123")
		e.Cgroup, e.Container, e.Pod = "/kubepods.slice/kubepods-pod0b9e5c1a_7d3f_4e2b_9a61_2f4c8d7e6a50.slice/crio-3f2a.scope", "3f2a", "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"
		e.Process, e.Next, e.DiesIn, e.Has = conn.Process{PID: 812, Comm: "nginx"}, time.Minute, 2*time.Minute, e.Has|conn.HasNext|conn.HasDiesIn
	})
	add("window", KindWindowProbe, func(e *Event) { e.Unanswered, e.Verdict, e.Has = 3, VerdictSuspended, e.Has|conn.HasUnanswered })
	for r := ReasonSocketBusy; r <= ReasonNotIdle; r++ {
		add(r.String(), KindTimer, func(e *Event) {
			if e.Reason = r; r == ReasonNotIdle {
				e.Next, e.Has = 50*time.Second, e.Has|conn.HasNext
			}
		})
	}
	add("orphan", KindClosed, func(e *Event) {
		e.Inode, e.UID, e.TCPState = 0, 0, conn.TCPClose
		e.Family = conn.IPv6Mapped
	})
	for _, end := range []struct {
		name        string
		by          By
		reason      Reason
		errno       string
		rst         RST
		retransmits int
		unacked     uint32
		verdict     Verdict
	}{
		{"retransmission by count", ByRetransmission, ReasonCount, "ETIMEDOUT", 0, 15, 100, VerdictTimedOut},
		{"retransmission of a FIN", ByRetransmission, ReasonCount, "EHOSTUNREACH", 0, 4, 0, VerdictUnreachable},
		{"retransmission by user timeout", ByRetransmission, ReasonUserTimeout, "ETIMEDOUT", 0, 5, 1, VerdictTimedOut},
		{"zero window", ByZeroWindow, ReasonUserTimeout, "ETIMEDOUT", 0, 0, 4294967295, VerdictTimedOut},
		{"zero window, not known why", ByZeroWindow, 0, "ETIMEDOUT", 0, 0, 5000, VerdictTimedOut},
		{"rst", ByPeer, 0, "ECONNRESET", 0, 0, 0, VerdictReset},
		{"rst of one that does not know", ByPeer, 0, "ECONNRESET", RSTUnknownConnection, 1, 100, VerdictForgotten},
		{"rst of one that knew", ByPeer, 0, "EPIPE", RSTAbort, 0, 0, VerdictAborted},
		{"rst of this host", ByThisHost, 0, "ECONNRESET", RSTThisHost, 0, 100, VerdictReset},
		{"destroyed", ByThisHost, 0, "ECONNABORTED", 0, 0, 0, 0},
		{"of a subflow, by nobody known", 0, 0, "", 0, 0, 0, 0},
	} {
		add(end.name, KindEnded, func(e *Event) {
			e.Keepalive.UserTimeout = 30 * time.Second
			e.By, e.Reason, e.Errno, e.RST, e.Verdict = end.by, end.reason, end.errno, end.rst, end.verdict
			e.Retransmits, e.Unacked, e.Has = end.retransmits, end.unacked, e.Has|conn.HasUnacked
		})
	}
	for _, s := range []struct {
		name        string
		waits       conn.Waiting
		retransmits int
		unacked     uint32
		dies        time.Duration
	}{
		{"retransmission", conn.WaitsRetransmission, 3, 100, 13 * time.Minute},
		{"retransmission, not known for how long", conn.WaitsRetransmission, 1, 1, 0},
		{"window, user timeout", conn.WaitsWindowProbe, 0, 5000, 20 * time.Second},
		{"window", conn.WaitsWindowProbe, 0, 5000, 0},
	} {
		add(s.name, KindSuspended, func(e *Event) {
			e.WaitsFor, e.Retransmits, e.Unacked, e.Verdict = s.waits, s.retransmits, s.unacked, VerdictSuspended
			e.Next, e.Has = time.Minute, e.Has|conn.HasUnacked|conn.HasNext
			if e.DiesIn = s.dies; s.dies > 0 {
				e.Has |= conn.HasDiesIn
			}
		})
		add("no more: "+s.name, KindResumed, func(e *Event) { e.WaitsFor, e.Verdict = s.waits, VerdictAlive })
	}
	minute := conn.Values{Known: conn.AllFields, On: true, Idle: time.Minute, Interval: 10 * time.Second, Count: 6, UserTimeout: 30 * time.Second}
	sysctls := conn.Values{Known: conn.AllFields, Idle: 2 * time.Hour, Interval: 75 * time.Second, Count: 9}
	for _, s := range []struct {
		name string
		Set
	}{
		{"changed", Set{By: Setter{4711, 0, 1000}, Before: sysctls, After: minute}},
		{"put back, of a service", Set{By: Setter{4711, 0, NoLogin}, Undo: true, Before: minute, After: sysctls}},
		{"armed anew", Set{By: Setter{4711, 1000, 1000}, Before: minute, After: minute, Rearmed: true, TimerBefore: 2 * time.Hour, TimerAfter: time.Minute}},
		{"in part", Set{By: Setter{0, 0, 0}, Before: sysctls.Only(conn.FieldOn | conn.FieldIdle), After: minute.Only(conn.FieldOn | conn.FieldIdle), Error: "setsockopt TCP_KEEPCNT: operation not permitted"}},
		{"not", Set{By: Setter{4711, 0, 0}, Before: sysctls, After: sysctls, Error: "it is closed"}},
	} {
		add(s.name, KindSet, func(e *Event) {
			e.Set, e.Keepalive, e.IdleFor, e.Has = &s.Set, conn.Settings{}, 0, conn.HasUID
		})
	}
	all = append(all, namedEvent{"all three", Event{Time: someTime, Kind: KindLost, Lost: Lost{Ring: 1200, Missed: 3, Follow: 4}}})
	all = append(all, namedEvent{"disk full", Event{Time: someTime, Kind: KindLost, Lost: Lost{Disk: 7}}})
	all = append(all, namedEvent{"suppressed", Event{Time: someTime, Kind: KindSuppressed, Suppressed: &Suppressed{Events: 40_000, Ends: 1, Peers: [10]PeerCount{
		{netipAddr("10.0.0.9"), 39_999}, {netipAddr("2001:db8::1"), 1}}}}})
	all = append(all, namedEvent{"suppressed, no end", Event{Time: someTime, Kind: KindSuppressed, Suppressed: &Suppressed{Events: 1, Peers: [10]PeerCount{{netipAddr("10.0.0.9"), 1}}}}})
	all = append(all, namedEvent{"no memory", Event{Time: someTime, Kind: KindLost, Lost: Lost{Memory: 5, Tuple: 6}}})
	all = append(all, namedEvent{"left out", Event{Time: someTime, Kind: KindLost, LeftOut: 12}})
	all = append(all, namedEvent{"left out and lost", Event{Time: someTime, Kind: KindLost, Lost: Lost{Ring: 2}, LeftOut: 1}})
	all = append(all, namedEvent{"skipped", Event{Time: someTime, Kind: KindLost, Lost: Lost{Skipped: Skipped{PeerReset: 1, Closed: 28, ICMP: 2, Probed: 3, Enabled: 4, Answer: 5, Dropped: 6}}}})
	for _, about := range []struct {
		name string
		kind Kind
		Tracing
	}{
		{"start", KindStart, Tracing{Kernel: "6.12.107", Backend: "tracepoint", Version: "v1.2", Filters: "--port 5432 --dead", NotKnown: UnknownICMP | UnknownMissed}},
		{"start of all", KindStart, Tracing{Kernel: "6.12.107", Backend: "kprobe", Version: "v1.2"}},
		{"another file", KindStart, Tracing{Kernel: "6.12.107", Backend: "kprobe", Version: "v1.2", Continues: true}},
		{"a quiet minute", KindHeartbeat, Tracing{}},
		{"a minute", KindHeartbeat, Tracing{Asleep: time.Hour, ClockSet: -time.Second, Events: 1200, Lost: Lost{Ring: 3}, LeftOut: 1, Connections: Connections{0: 4, VerdictAlive: 17}}},
		{"stop", KindStop, Tracing{Events: 1200, Exit: ExitSignal}},
		{"failure", KindStop, Tracing{Events: 1, ClockSet: time.Minute, Exit: ExitError, Error: "write events: no space left on device"}},
		{"stop, not known why", KindStop, Tracing{}},
	} {
		e := Event{Time: someTime, Kind: about.kind, Tracing: &about.Tracing}
		if about.kind == KindStart || about.Exit == ExitError {
			e.Host = "db1.example"
		}
		all = append(all, namedEvent{about.name, e})
	}
	return all
}

func netipAddr(s string) netip.Addr { return netip.MustParseAddr(s) }

func withPort(a netip.AddrPort, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr(), port)
}
