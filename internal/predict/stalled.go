// SPDX-License-Identifier: BSD-2-Clause

package predict

import (
	"strconv"
	"time"
	"unicode"

	"katrace/internal/conn"
	"katrace/internal/events"
)

// appendStalled says what becomes of a socket in which keepalive has no say: the
// words of the stream's suspended, and what could be done.
func (p *Prediction) appendStalled(b []byte) []byte {
	s := p.Socket
	e := s.Event(time.Time{})
	e.Kind = events.KindSuspended
	at := len(b)
	b = append(events.AppendWords(b, &e), ".\n"...)
	b[at] = byte(unicode.ToUpper(rune(b[at])))
	switch {
	case s.Endless():
		return append(b, "A peer that does not answer them is given up after net.ipv4.tcp_retries2 of them. TCP_USER_TIMEOUT would set an end in any case.\n"...)
	case s.Has&conn.HasDiesIn == 0:
		return append(b, "When the kernel gives up is not known: since when it sends again is told by BPF only, which needs CAP_BPF and CAP_PERFMON.\n"...)
	case s.Keepalive.UserTimeout != 0:
		return append(b, "TCP_USER_TIMEOUT decides; the application reads ETIMEDOUT, or what an ICMP error said.\n"...)
	}
	return append(b, "net.ipv4.tcp_retries2 decides; the application reads ETIMEDOUT, or what an ICMP error said. TCP_USER_TIMEOUT would end it sooner.\n"...)
}

// appendStalledKeys appends the keys of the list that say so, and "gives_up", as far as
// that is known.
func (p *Prediction) appendStalledKeys(b []byte) []byte {
	s := p.Socket
	b = s.AppendData(conn.AppendWord(b, "waits_for", s.WaitsFor.String()))
	if s.Has&conn.HasDiesIn == 0 {
		return append(b, `,"probes":[]`...)
	}
	b = append(conn.AppendMillis(b, "dies_in_ms", s.DiesIn), `,"probes":[],"gives_up":{"at_ms":`...)
	b = strconv.AppendInt(b, (s.IdleFor + s.DiesIn).Milliseconds(), 10)
	b = conn.AppendWord(b, "reason", p.reason().String())
	return append(conn.AppendWord(b, "errno", "ETIMEDOUT"), '}')
}
