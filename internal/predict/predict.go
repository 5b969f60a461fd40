// SPDX-License-Identifier: BSD-2-Clause

// Package predict says what the kernel does about a connection whose peer falls
// silent, for people and as JSON.
package predict

import (
	"time"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/inventory"
	"katrace/internal/jiffies"
)

// Prediction is what will happen: from now on if it is about a socket, else from
// the last segment of the peer on.
type Prediction struct {
	Settings conn.Settings
	Line     conn.Timeline
	Socket   *inventory.Socket // nil: none
	Limit    conn.Middlebox    // to be judged; zero: none
	HZ       jiffies.HZ
}

// OfSettings predicts what becomes of a connection that has these settings.
func OfSettings(s conn.Settings, limit conn.Middlebox, hz jiffies.HZ) *Prediction {
	return &Prediction{Settings: s, Line: conn.NewTimeline(s, 0, 0, s.Idle, hz), Limit: limit, HZ: hz}
}

// OfSocket predicts what becomes of a live socket whose DiesIn is known, or in which
// keepalive has no say.
func OfSocket(s *inventory.Socket, limit conn.Middlebox, hz jiffies.HZ) *Prediction {
	return &Prediction{
		Settings: s.Keepalive, Line: conn.NewTimeline(s.Keepalive, s.ProbesOut, s.IdleFor, s.Next, hz),
		Socket: s, Limit: limit, HZ: hz,
	}
}

// silence is the longest time without any segment while the peer answers.
func (p *Prediction) silence() time.Duration {
	if p.Socket != nil {
		return p.Socket.Silence()
	}
	return p.Settings.Period()
}

// stalled says that retransmission decides about the socket, or the peer's window.
func (p *Prediction) stalled() bool { return p.Socket != nil && p.Socket.Stalled() }

// armed says that the socket's timer runs longer than the settings say.
func (p *Prediction) armed() bool { return p.Socket != nil && p.Socket.ArmedBeforeChange }

// reason says what decides the giving up.
func (p *Prediction) reason() events.Reason {
	if p.Settings.UserTimeout != 0 {
		return events.ReasonUserTimeout
	}
	return events.ReasonCount
}
