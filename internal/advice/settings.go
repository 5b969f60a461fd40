// SPDX-License-Identifier: BSD-2-Clause

// Package advice says what follows from keepalive settings: for the live view
// and the report, in the same words. It knows no events and no sinks.
package advice

import (
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

// Settings says what follows from the settings, in sentences: what decides, and
// which middleboxes are faster.
func Settings(k conn.Settings) (a []string) {
	if k.UserTimeout > 0 {
		at, probes := Patience(k)
		s := fmt.Sprintf("TCP_USER_TIMEOUT %s makes KEEPCNT %d ineffective: a silent peer is given up %s after its last segment, with %s unanswered.",
			conn.Exact(k.UserTimeout), k.Count, conn.Exact(at), conn.Count(probes, "probe"))
		if probes == 1 {
			s += " One lost probe is enough."
		}
		a = append(a, s)
	}
	var faster []string
	for _, m := range conn.Middleboxes {
		const unknown jiffies.HZ = 0
		if m.Judge(k.Period(), unknown) != conn.InTime {
			faster = append(faster, fmt.Sprintf("%s (%s)", conn.Exact(m.Forgets), m.Title))
		}
	}
	if len(faster) > 0 {
		a = append(a, fmt.Sprintf("A probe after %s idle: a middlebox that forgets idle flows sooner is faster, by default after %s. If one is on the path, set TCP_KEEPIDLE and TCP_KEEPINTVL below its limit.", conn.Exact(k.Period()), strings.Join(faster, ", ")))
	}
	return a
}

// Sysctls says which settings the namespace decides; "": none.
func Sysctls(k conn.Settings) string {
	var from []string
	for _, s := range InForce(k) {
		if s.Sysctl {
			from = append(from, s.From)
		}
	}
	if len(from) == 0 {
		return ""
	}
	return "Not set on the socket, so a change in this network namespace reaches it: " + strings.Join(from, ", ") + "."
}

// Patience is how long after the peer's last segment the kernel gives up a
// peer that is silent, and after how many unanswered probes.
func Patience(k conn.Settings) (time.Duration, int) {
	return k.DiesIn(0, 0, k.Idle), k.ProbesLeft(0, 0, k.Idle)
}
