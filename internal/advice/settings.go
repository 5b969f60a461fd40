// SPDX-License-Identifier: BSD-2-Clause

// Package advice says what follows from keepalive settings: for the live view
// and the report, in the same words. It knows no events and no sinks.
package advice

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"katrace/internal/conn"
	"katrace/internal/jiffies"
)

// Setting is one keepalive setting of a connection with its source.
type Setting struct {
	Name, Value, From string
	Sysctl            bool // From is a sysctl, not the socket
}

// InForce lists the settings in force.
func InForce(k conn.Settings) []Setting {
	from := func(s conn.Setting, socket, sysctl string) (string, bool) {
		if k.Unsure&s != 0 {
			return sysctl + ", or set to the same", false
		}
		if k.Inherited&s != 0 {
			return sysctl, true
		}
		return "socket, " + socket, false
	}
	list := []Setting{
		{Name: "idle", Value: conn.Exact(k.Idle)},
		{Name: "interval", Value: conn.Exact(k.Interval)},
		{Name: "count", Value: strconv.Itoa(k.Count)},
	}
	list[0].From, list[0].Sysctl = from(conn.SettingIdle, "TCP_KEEPIDLE", "net.ipv4.tcp_keepalive_time")
	list[1].From, list[1].Sysctl = from(conn.SettingInterval, "TCP_KEEPINTVL", "net.ipv4.tcp_keepalive_intvl")
	list[2].From, list[2].Sysctl = from(conn.SettingCount, "TCP_KEEPCNT", "net.ipv4.tcp_keepalive_probes")
	ut := Setting{Name: "user timeout", Value: "not set", From: "count decides"}
	if k.UserTimeout > 0 {
		ut.Value, ut.From = conn.Exact(k.UserTimeout), "socket, TCP_USER_TIMEOUT: decides, count does not"
	}
	return append(list, ut)
}

// Timer is the keepalive timer of a connection whose peer answers: it may run
// longer than the settings in force would set it.
type Timer struct {
	First    time.Duration // from the peer's last segment to the first probe
	Silence  time.Duration // the longest time without any segment
	Overlong bool          // it was armed before the settings changed
}

// TimerOf is the timer as the settings set it.
func TimerOf(k conn.Settings) Timer { return Timer{First: k.Idle, Silence: k.Period()} }

// Settings says what follows from the settings, in sentences: what decides, and
// which middleboxes are faster. command makes the command line that helps from
// katrace set's flags; "": there is none.
func Settings(k conn.Settings, t Timer, command func(flags string) string) (a []Item) {
	if k.UserTimeout > 0 {
		at, probes := Patience(k, t.First)
		s := fmt.Sprintf("TCP_USER_TIMEOUT %s makes KEEPCNT %d ineffective: a silent peer is given up %s after its last segment, with %s unanswered.",
			conn.Exact(k.UserTimeout), k.Count, conn.Exact(at), conn.Count(probes, "probe"))
		if probes == 1 {
			s += " One lost probe is enough."
		}
		a = append(a, Item{Words: s})
	}
	if t.Overlong {
		a = append(a, item(fmt.Sprintf("The timer was armed before a sysctl or SO_KEEPALIVE was changed, and runs on as it was set: a probe comes after %s of silence, not after %s, until %s",
			conn.Exact(t.Silence), conn.Exact(k.Period()), conn.Rearm), "", command("--rearm")))
	}
	var faster []string
	var flags string // for the most forgetful
	for _, m := range conn.Middleboxes {
		const unknown jiffies.HZ = 0
		if m.Judge(t.Silence, unknown) != conn.InTime {
			flags = cmp.Or(flags, "--idle-limit "+m.Name+" --on "+m.InTimeFlags(k, unknown))
			faster = append(faster, fmt.Sprintf("%s (%s)", conn.Exact(m.Forgets), m.Title))
		}
	}
	if len(faster) > 0 {
		s := fmt.Sprintf("A probe after %s idle: a middlebox that forgets idle flows sooner is faster, by default after %s.", conn.Exact(t.Silence), strings.Join(faster, ", "))
		if t.Overlong {
			a = append(a, Item{Words: s})
		} else {
			a = append(a, item(s+" If one is on the path, set TCP_KEEPIDLE and TCP_KEEPINTVL below its limit", ", without a restart", command(flags)))
		}
	}
	return a
}

// item makes one of sentences whose last has no full stop yet; by comes before the command.
func item(words, by, command string) Item {
	if command == "" {
		return Item{Words: words + "."}
	}
	return Item{words + by, command}
}

// Sysctls says which settings the namespace decides; "": none.
func Sysctls(k conn.Settings, t Timer) string {
	var from []string
	for _, s := range InForce(k) {
		if s.Sysctl {
			from = append(from, s.From)
		}
	}
	if len(from) == 0 {
		return ""
	}
	reaches := "reaches it"
	if t.Overlong {
		reaches = "reaches it once the timer is armed anew"
	}
	return "Not set on the socket, so a change in this network namespace " + reaches + ": " + strings.Join(from, ", ") + "."
}

// Patience is how long after the peer's last segment the kernel gives up a
// peer that is silent, and after how many unanswered probes: the first probe is
// due that long after the segment.
func Patience(k conn.Settings, first time.Duration) (time.Duration, int) {
	return k.DiesIn(0, 0, first), k.ProbesLeft(0, 0, first)
}
