// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"strconv"

	"katrace/internal/conn"
)

// setting is one keepalive setting of a connection with its source.
type setting struct {
	name, value, from string
	sysctl            bool // from is a sysctl, not the socket
}

// settings lists the settings in force.
func settings(k conn.Settings) []setting {
	from := func(s conn.Setting, socket, sysctl string) (string, bool) {
		if k.Unsure&s != 0 {
			return sysctl + ", or set to the same", false
		}
		if k.Inherited&s != 0 {
			return sysctl, true
		}
		return "socket, " + socket, false
	}
	list := []setting{
		{name: "idle", value: conn.Exact(k.Idle)},
		{name: "interval", value: conn.Exact(k.Interval)},
		{name: "count", value: strconv.Itoa(k.Count)},
	}
	list[0].from, list[0].sysctl = from(conn.SettingIdle, "TCP_KEEPIDLE", "net.ipv4.tcp_keepalive_time")
	list[1].from, list[1].sysctl = from(conn.SettingInterval, "TCP_KEEPINTVL", "net.ipv4.tcp_keepalive_intvl")
	list[2].from, list[2].sysctl = from(conn.SettingCount, "TCP_KEEPCNT", "net.ipv4.tcp_keepalive_probes")
	ut := setting{name: "user timeout", value: "not set", from: "count decides"}
	if k.UserTimeout > 0 {
		ut.value, ut.from = conn.Exact(k.UserTimeout), "socket, TCP_USER_TIMEOUT: decides, count does not"
	}
	return append(list, ut)
}
