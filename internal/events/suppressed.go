// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"net/netip"
	"strconv"

	"katrace/internal/conn"
)

// Suppressed sums up the events of which no line was written because there were
// too many at once, within a second or so.
type Suppressed struct {
	Events uint64
	Ends   uint64        // of them, ends of connections
	Peers  [10]PeerCount // the commonest peers, the commonest first; Events 0: no more
}

// PeerCount is how many events were of a peer.
type PeerCount struct {
	Addr   netip.Addr
	Events uint64
}

type suppressedKeys struct {
	Events uint64 `json:"events"`
	Ends   uint64 `json:"ends"`
	Peers  []struct {
		Addr   netip.Addr `json:"addr"`
		Events uint64     `json:"events"`
	} `json:"peers"`
}

func (k *suppressedKeys) read() *Suppressed {
	s := new(Suppressed)
	if k == nil {
		return s
	}
	s.Events, s.Ends = k.Events, k.Ends
	n := 0
	for _, p := range k.Peers {
		if n < len(s.Peers) && p.Events > 0 && p.Addr.IsValid() && p.Addr.Zone() == "" {
			s.Peers[n], n = PeerCount{p.Addr, p.Events}, n+1
		}
	}
	return s
}

func appendSuppressed(dst []byte, s *Suppressed) []byte {
	if s == nil {
		s = new(Suppressed)
	}
	dst = strconv.AppendUint(append(dst, `,"suppressed":{"events":`...), s.Events, 10)
	dst = conn.AppendUint(dst, "ends", s.Ends)
	dst = append(dst, `,"peers":[`...)
	sep := ""
	for _, p := range s.Peers {
		if p.Events == 0 {
			break
		}
		dst = p.Addr.AppendTo(append(append(dst, sep...), `{"addr":"`...))
		dst = append(conn.AppendUint(append(dst, '"'), "events", p.Events), '}')
		sep = ","
	}
	return append(dst, "]}"...)
}

func appendSuppressedWords(dst []byte, s *Suppressed) []byte {
	if s == nil {
		s = new(Suppressed)
	}
	dst = append(conn.AppendCount(dst, s.Events, "event"), " not written (--max-rate)"...)
	if s.Ends > 0 {
		dst = strconv.AppendUint(append(dst, ", ends of connections among them: "...), s.Ends, 10)
	}
	sep := "; by peer: "
	for _, p := range s.Peers {
		if p.Events == 0 {
			break
		}
		dst = strconv.AppendUint(append(p.Addr.AppendTo(append(dst, sep...)), ' '), p.Events, 10)
		sep = ", "
	}
	return dst
}
