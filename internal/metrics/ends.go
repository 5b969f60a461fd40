// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// endedBy is who or what ended a connection.
type endedBy int

const (
	endedUnknown endedBy = iota
	endedKeepaliveCount
	endedKeepaliveUserTimeout
	endedPeerForgot
	endedPeerAbort
	endedPeerReset // which of the two is not known
	endedRetransmission
	endedZeroWindow
	endedThisHost
	endedEnd
)

var endedWords = [endedEnd]string{"unknown", "keepalive_count", "keepalive_user_timeout", "peer_forgot", "peer_abort", "peer_reset",
	"retransmission", "zero_window", "this_host"}

func by(e *events.Event) endedBy {
	switch e.Kind {
	case events.KindReset:
		if e.Reason == events.ReasonUserTimeout {
			return endedKeepaliveUserTimeout
		}
		return endedKeepaliveCount
	case events.KindPeerReset:
		return byRST(e.RST)
	default: // KindEnded
	}
	switch e.By {
	case events.ByRetransmission:
		return endedRetransmission
	case events.ByZeroWindow:
		return endedZeroWindow
	case events.ByPeer:
		return byRST(e.RST)
	case events.ByThisHost:
		return endedThisHost
	}
	return endedUnknown
}

func byRST(rst events.RST) endedBy {
	switch rst {
	case events.RSTUnknownConnection:
		return endedPeerForgot
	case events.RSTAbort:
		return endedPeerAbort
	case events.RSTThisHost:
		return endedThisHost
	}
	return endedPeerReset
}

// exposed says that the backend can tell this end from others.
func (b endedBy) exposed(notKnown events.Unknown) bool {
	return notKnown&events.UnknownRST == 0 || b != endedPeerForgot && b != endedPeerAbort
}

func (m *Metrics) countEnds(notKnown events.Unknown) {
	var words []string
	for b, word := range endedWords {
		if endedBy(b).exposed(notKnown) {
			words = append(words, word)
		}
	}
	all := m.counters("ended_total", "Connections with keepalive on that ended with an error, by who or what ended them.", "by", words...)
	for b, word := range endedWords {
		m.ended[b] = all[word]
	}
}

func (m *Metrics) countDrops() {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: "dropped_total",
		Help: "Segments of connections with a probe out that this host dropped: the first of each kind in a silence."}, []string{"direction", "reason"})
	m.registry.MustRegister(v)
	m.dropped = map[string]*[3]prometheus.Counter{}
	for _, class := range events.DropClasses {
		m.dropped[class] = &[3]prometheus.Counter{
			events.DirectionIn:  v.WithLabelValues(events.DirectionIn.String(), class),
			events.DirectionOut: v.WithLabelValues(events.DirectionOut.String(), class),
		}
	}
}

func (m *Metrics) countChanges(notKnown events.Unknown) {
	m.changes = map[events.Change]prometheus.Counter{
		events.ChangeSilent:    m.counter("connections_silent_total", "Times that a connection fell silent: a second probe was not answered."),
		events.ChangeRecovered: m.counter("connections_recovered_total", "Times that a silent or unreachable peer was heard again."),
		events.ChangeSuspended: m.counter("connections_suspended_total", "Times that keepalive was suspended by data that is not acknowledged, or by a closed window."),
	}
	if both := events.UnknownSendError | events.UnknownICMP; notKnown&both != both {
		m.changes[events.ChangeUnreachable] = m.counter("connections_unreachable_total", "Times that a connection became unreachable: an ICMP error came, or a probe did not leave. It may have been silent before.")
	}
}

// The reasons of ICMP errors.
const (
	icmpNet          = "net"
	icmpHost         = "host"
	icmpPort         = "port"
	icmpProhibited   = "prohibited"
	icmpFragNeeded   = "frag_needed"
	icmpTimeExceeded = "time_exceeded"
	icmpOther        = "other"
)

var icmpReasons = []string{icmpNet, icmpHost, icmpPort, icmpProhibited, icmpFragNeeded, icmpTimeExceeded, icmpOther}

// Codes of ICMP type 3 (RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1) and of ICMPv6
// type 1 (RFC 4443 3.1).
var (
	icmp4Codes = map[uint8]string{0: icmpNet, 1: icmpHost, 2: icmpPort, 3: icmpPort, 4: icmpFragNeeded, 6: icmpNet, 7: icmpHost,
		9: icmpProhibited, 10: icmpProhibited, 11: icmpNet, 12: icmpHost, 13: icmpProhibited}
	icmp6Codes = map[uint8]string{0: icmpNet, 1: icmpProhibited, 3: icmpHost, 4: icmpPort, 5: icmpProhibited, 6: icmpProhibited}
)

func icmpReason(e *events.Event) string {
	reason := ""
	switch six := e.Family == conn.IPv6; {
	case !six && e.ICMP.Type == 3:
		reason = icmp4Codes[e.ICMP.Code]
	case six && e.ICMP.Type == 1:
		reason = icmp6Codes[e.ICMP.Code]
	case six && e.ICMP.Type == 2:
		reason = icmpFragNeeded
	case !six && e.ICMP.Type == 11, six && e.ICMP.Type == 3:
		reason = icmpTimeExceeded
	}
	if reason == "" {
		return icmpOther
	}
	return reason
}

// lostCounter is a class of what is lost.
type lostCounter struct {
	of func(*events.Event) uint64
	to prometheus.Counter
}

func (m *Metrics) countLosses(o Options) {
	classes := []struct {
		word string
		of   func(*events.Event) uint64
		here bool
	}{
		{"ring", func(e *events.Event) uint64 { return e.Lost.Ring }, true},
		{"missed", func(e *events.Event) uint64 { return e.Lost.Missed }, o.NotKnown&events.UnknownMissed == 0},
		{"follow", func(e *events.Event) uint64 { return e.Lost.Follow }, true},
		{"memory", func(e *events.Event) uint64 { return e.Lost.Memory }, true},
		{"tuple", func(e *events.Event) uint64 { return e.Lost.Tuple }, true},
		{"skipped", func(e *events.Event) uint64 { return e.Lost.Skipped.Total() }, true},
		{"disk", func(e *events.Event) uint64 { return e.Lost.Disk }, o.LogFile},
		{"left_out", func(e *events.Event) uint64 { return e.LeftOut }, true},
	}
	var words []string
	for _, c := range classes {
		if c.here {
			words = append(words, c.word)
		}
	}
	all := m.counters("records_lost_total", "What was lost, by the keys of the event lost.", "class", words...)
	for _, c := range classes {
		if to := all[c.word]; to != nil {
			m.lost = append(m.lost, lostCounter{c.of, to})
		}
	}
}

func (m *Metrics) lose(e *events.Event) {
	for _, l := range m.lost {
		l.to.Add(float64(l.of(e)))
	}
}
