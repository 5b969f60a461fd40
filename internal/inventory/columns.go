// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"strconv"
	"time"

	"katrace/internal/conn"
)

// columns are those of sockets, from left to right.
var columns = []column[Socket]{
	{
		name: "state", title: "STATE", key: "state", help: `the TCP state, "estab" for established`,
		draw: drawState, compare: func(a, b *Socket) int { return cmp.Compare(a.TCPState, b.TCPState) },
	},
	{
		name: "local", title: "LOCAL", key: "local", help: "this end's address and port",
		draw: func(dst []byte, s *Socket) []byte { return s.Local.AppendTo(dst) }, compare: func(_, _ *Socket) int { return 0 },
	},
	{
		name: "remote", title: "REMOTE", key: "remote", help: "the other end's",
		draw: drawRemote, compare: func(a, b *Socket) int { return a.Remote.Compare(b.Remote) },
	},
	{
		name: "owner", title: "OWNER", key: "process", help: "who holds the socket",
		draw: drawOwner, compare: compareOwners, cut: true,
	},
	{
		title: "CONTAINER", key: "container", help: "where there is one: the Kubernetes pod, NAMESPACE/NAME, or the container's name, or the beginning of its id",
		draw:  func(dst []byte, s *Socket) []byte { return dashIfNone(dst, s.AppendContainer) },
		worth: func(s *Socket, _ *List) bool { return s.Container != "" || s.PodName != "" },
	},
	{
		name: "idle", title: "IDLE", key: "idle_for_ms", help: "the time since the last segment from the peer",
		draw: func(dst []byte, s *Socket) []byte {
			return drawTime(dst, s.IdleFor, s.Has&conn.HasIdleFor != 0, s.Connected())
		},
		compare: byTime(func(s *Socket) (time.Duration, bool) { return -s.IdleFor, s.Has&conn.HasIdleFor != 0 }),
	},
	{
		title: "KEEPALIVE", key: "keepalive.idle_ms", help: "off, or idle/interval/count in force", draw: drawKeepalive,
	},
	{
		title: "SOURCE", key: "keepalive.inherited", help: `who set these three: "set" is the socket, "sysctl" the network namespace, "?" cannot be told`,
		draw: drawSource,
	},
	{
		title: "USER", key: "keepalive.user_timeout_ms", help: "TCP_USER_TIMEOUT, where one is set",
		draw: func(dst []byte, s *Socket) []byte {
			if s.Keepalive.UserTimeout == 0 {
				return append(dst, '-')
			}
			return conn.AppendSetting(dst, s.Keepalive.UserTimeout)
		},
		worth: func(s *Socket, _ *List) bool { return s.Keepalive.UserTimeout != 0 },
	},
	{
		name: "unanswered", title: "UNANSWERED", key: "unanswered", help: "probes that the peer has not answered, of how many; where there are any",
		draw: drawUnanswered, compare: byTime(func(s *Socket) (time.Duration, bool) { return -time.Duration(s.Unanswered), s.probing() }),
		worth: func(s *Socket, _ *List) bool { return s.unanswered() },
	},
	{
		title: "RETRANSMITS", key: "retransmits", help: "how often data was sent again, where keepalive has no say: the data is never acknowledged, or the peer's window is closed",
		draw: func(dst []byte, s *Socket) []byte {
			return drawNumber(dst, uint64(max(0, s.Retransmits)), s.Stalled())
		},
		worth: func(s *Socket, _ *List) bool { return s.Stalled() },
	},
	{
		title: "UNACKED", key: "unacked_bytes", help: "bytes that the peer has not acknowledged, of the same",
		draw: func(dst []byte, s *Socket) []byte {
			return drawNumber(dst, uint64(s.Unacked), s.Stalled())
		},
		worth: func(s *Socket, _ *List) bool { return s.Stalled() },
	},
	{
		name: "next", title: "NEXT", key: "next_probe_ms", draw: drawNext, compare: byTime((*Socket).NextProbe),
		help: `the time to the next probe, or what keeps it from being sent: "retransmit" (data is unacknowledged), "window" (the peer's window is closed), "fin_wait2" (an orphan's timer); marked * where the timer was armed before a sysctl or SO_KEEPALIVE was changed and runs longer than KEEPALIVE says`,
	},
	{
		name: "dies", title: "DIES", key: "dies_in_ms", draw: drawDies,
		help:    `the time until the kernel gives up if the peer is silent from now on; an estimate where keepalive has no say; "if unanswered": the peer's window is closed, and as long as the peer answers window probes there is no end`,
		compare: byTime(func(s *Socket) (time.Duration, bool) { return s.DiesIn, s.Has&conn.HasDiesIn != 0 }),
	},
	{
		title: "NETNS", key: "netns", help: "the network namespace, where sockets of another one than katrace's are shown",
		draw:  func(dst []byte, s *Socket) []byte { return strconv.AppendUint(dst, uint64(s.Netns), 10) },
		worth: func(s *Socket, l *List) bool { return s.Netns != l.Netns },
	},
}

// probing says that the probes out are keepalive's: zero-window probes have the
// same counter.
func (s *Socket) probing() bool {
	return s.WaitsFor == conn.WaitsProbe && s.Has&conn.HasUnanswered != 0
}

// unanswered says that the peer has not answered a keepalive probe.
func (s *Socket) unanswered() bool { return s.probing() && s.Unanswered > 0 || s.Silent }

// drawState shortens the name of a frequent and long one.
func drawState(dst []byte, s *Socket) []byte {
	if s.TCPState == conn.TCPEstablished {
		return append(dst, "estab"...)
	}
	return append(dst, s.TCPState.String()...)
}

func drawRemote(dst []byte, s *Socket) []byte {
	if !s.Remote.IsValid() {
		return append(dst, '-')
	}
	return s.Remote.AppendTo(dst)
}

// Holder says who holds the socket, and how many more do: "postgres[812]+2".
func (s *Socket) Holder() string { return string(drawOwner(nil, s)) }

func drawOwner(dst []byte, s *Socket) []byte {
	if s.Process.PID == 0 && s.Inode == 0 && s.HeldBy == 0 {
		return append(dst, '-') // an orphan
	}
	dst = s.AppendOwner(dst)
	if s.Holders > 1 {
		dst = strconv.AppendInt(append(dst, '+'), int64(s.Holders-1), 10)
	}
	return dst
}

func compareOwners(a, b *Socket) int {
	return cmp.Or(absentLast(a.Process.PID != 0, b.Process.PID != 0),
		cmp.Compare(a.Process.Comm, b.Process.Comm), cmp.Compare(a.Process.PID, b.Process.PID))
}

func drawKeepalive(dst []byte, s *Socket) []byte {
	switch {
	case s.Has&HasOn == 0 && !s.Connected() && s.Has&conn.HasKeepalive == 0:
		return append(dst, '-')
	case s.Has&HasOn == 0:
		return append(dst, '?')
	case !s.On:
		return append(dst, "off"...)
	case s.Has&conn.HasKeepalive == 0:
		return append(dst, "on ?/?/?"...)
	}
	return s.Keepalive.AppendTo(dst)
}

// drawSource says who set idle, interval and count: once where it is the same
// for all of them.
func drawSource(dst []byte, s *Socket) []byte {
	switch {
	case s.Has&HasOn == 0 || !s.On:
		return append(dst, '-')
	case s.Has&conn.HasKeepalive == 0:
		return append(dst, '?')
	}
	var words [3]string
	for i := range words {
		switch one := conn.SettingIdle << i; {
		case s.Keepalive.Unsure&one != 0:
			words[i] = "?"
		case s.Keepalive.Inherited&one != 0:
			words[i] = "sysctl"
		default:
			words[i] = "set"
		}
	}
	dst = append(dst, words[0]...)
	if words[0] == words[1] && words[1] == words[2] {
		return dst
	}
	dst = append(append(dst, '/'), words[1]...)
	return append(append(dst, '/'), words[2]...)
}

func drawUnanswered(dst []byte, s *Socket) []byte {
	switch {
	case s.Silent && s.Has&conn.HasUnanswered == 0:
		return append(dst, "255+"...) // the kernel's count has wrapped
	case !s.probing():
		return append(dst, '-')
	}
	dst = strconv.AppendInt(dst, int64(s.Unanswered), 10)
	if s.Keepalive.UserTimeout != 0 || s.Has&conn.HasKeepalive == 0 {
		return dst // the count does not decide
	}
	return strconv.AppendInt(append(dst, '/'), int64(s.Keepalive.Count), 10)
}

func drawNext(dst []byte, s *Socket) []byte {
	next, ok := s.NextProbe()
	switch {
	case ok:
		if dst = conn.AppendSpan(dst, next); s.ArmedBeforeChange {
			dst = append(dst, '*')
		}
		return dst
	case s.WaitsFor == conn.WaitsRetransmission:
		return append(dst, "retransmit"...)
	case s.WaitsFor == conn.WaitsWindowProbe:
		return append(dst, "window"...)
	case s.WaitsFor == conn.WaitsFinWait2:
		return append(dst, "fin_wait2"...)
	case s.WaitsFor == conn.WaitsProbe && s.Has&conn.HasDiesIn == 0:
		return append(dst, '?')
	}
	return append(dst, '-')
}

func drawDies(dst []byte, s *Socket) []byte {
	if s.Stalled() && s.Endless() {
		return append(dst, "if unanswered"...)
	}
	return drawTime(dst, s.DiesIn, s.Has&conn.HasDiesIn != 0, s.Stalled())
}

func drawNumber(dst []byte, n uint64, have bool) []byte {
	if !have {
		return append(dst, '-')
	}
	return strconv.AppendUint(dst, n, 10)
}

// drawTime shows a time; where it is absent, "?" if there should be one.
func drawTime(dst []byte, d time.Duration, have, expected bool) []byte {
	switch {
	case have:
		return conn.AppendSpan(dst, d)
	case expected:
		return append(dst, '?')
	}
	return append(dst, '-')
}
