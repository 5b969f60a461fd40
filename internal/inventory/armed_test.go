// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"testing"
	"time"

	"katrace/internal/conn"
)

// TestArmedBeforeChange: a timer that runs longer than the settings in force
// would set it, and how long the connection then stays silent.
func TestArmedBeforeChange(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, tt := range []struct {
		name           string
		idle, intvl    time.Duration
		out            int
		idleFor, timer time.Duration
		want           bool
		silence        time.Duration
	}{
		{"as set", 60 * s, 10 * s, 0, 15 * s, 45 * s, false, 60 * s},
		{"the sysctl was lowered from 7200", 60 * s, 10 * s, 0, 15 * s, 7185 * s, true, 7200 * s},
		{"SO_KEEPALIVE switched on after an hour", 60 * s, 10 * s, 0, 3600 * s, 60 * s, true, 3660 * s},
		{"switched on a second after the handshake: as late as timers are", 60 * s, 10 * s, 0, s, 60 * s, false, 60 * s},
		{"switched on after a TLS handshake", 5 * s, 5 * s, 0, 900 * ms, 5 * s, false, 5 * s},
		{"switched on after two seconds", 5 * s, 5 * s, 0, 2 * s, 5 * s, true, 7 * s},
		{"the peer sent data since", 60 * s, 10 * s, 0, 5 * s, 20 * s, false, 60 * s},
		{"a probe was answered", 1 * s, 75 * s, 0, 20 * s, 55 * s, false, 75 * s},
		{"a probe is out", 60 * s, 10 * s, 1, 61 * s, 9 * s, false, 60 * s},
		{"a probe is out, and the interval was lowered from 75 s", 60 * s, 10 * s, 1, 61 * s, 74 * s, true, 74 * s},
		{"probes are out from before the peer was heard by data", 60 * s, 10 * s, 3, 20 * ms, 60*s - 20*ms, false, 60 * s},
		{"the same, and the idle time was lowered", 60 * s, 10 * s, 3, 20 * ms, 7200 * s, true, 7200*s + 20*ms},
		{"the local queue refused a probe", s, s, 0, 3600 * s, 500 * ms, false, s},
		{"the idle time was raised", 7200 * s, 10 * s, 0, 15 * s, 45 * s, false, 7200 * s},
	} {
		socket := Socket{
			State:     conn.State{TCPState: conn.TCPEstablished, WaitsFor: conn.WaitsProbe, Keepalive: conn.Settings{Idle: tt.idle, Interval: tt.intvl, Count: 6}, Has: HasOn | conn.HasKeepalive | HasProbesOut | conn.HasIdleFor | hasTimer},
			Timer:     conn.Timer{IdleFor: tt.idleFor},
			On:        true,
			ProbesOut: tt.out,
			expires:   tt.timer,
		}
		socket.foresee(250)
		if socket.ArmedBeforeChange != tt.want || socket.Silence() != tt.silence {
			t.Errorf("%s: %v, silent for %s; want %v, %s", tt.name, socket.ArmedBeforeChange, socket.Silence(), tt.want, tt.silence)
		}
		limit := conn.Middlebox{Forgets: tt.silence}
		if !socket.Late(limit, 250) {
			t.Errorf("%s: in time for %s", tt.name, limit.Forgets)
		}
		if limit.Forgets += tt.silence / 5; socket.Late(limit, 250) {
			t.Errorf("%s: late for %s", tt.name, limit.Forgets)
		}
		socket.On = false
		if socket.foresee(250); socket.ArmedBeforeChange && !tt.want {
			t.Errorf("%s: armed though off", tt.name)
		}
	}
}

// TestArmedBeforeChangeByTheKernel: SO_KEEPALIVE arms the timer for all of
// TCP_KEEPIDLE, however long the connection is idle already; TCP_KEEPIDLE, set
// anew, takes that off.
func TestArmedBeforeChangeByTheKernel(t *testing.T) {
	needsRoot(t)
	eachMethod(t, func(t *testing.T, m Method) {
		r := open(t, Options{Method: m})
		p := connect(t, "127.0.0.1")
		const silent = 1500 * time.Millisecond // more than a second, and than the slack of a timer of 10 s
		time.Sleep(silent)
		p.keepalive(t, 10, 10, 6, 0)
		s := r.list(t).ofPair(t, p)
		if !s.ArmedBeforeChange || s.Silence() < 10*time.Second+silent || s.Silence() > s.IdleFor+s.Next {
			t.Errorf("%v, silent for %s; idle for %s, next in %s", s.ArmedBeforeChange, s.Silence(), s.IdleFor, s.Next)
		}
		p.keepalive(t, 10, 10, 6, 0)
		if s = r.list(t).ofPair(t, p); s.ArmedBeforeChange || s.Silence() != 10*time.Second {
			t.Errorf("TCP_KEEPIDLE was set: %v, silent for %s", s.ArmedBeforeChange, s.Silence())
		}
	})
}
