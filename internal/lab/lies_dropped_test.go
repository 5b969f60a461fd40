// SPDX-License-Identifier: BSD-2-Clause

package lab

import "katrace/internal/events"

var noDropReasons = full.but(func(b *Backend) { b.DropReasons = false })

var liesAboutDrops = []lie{
	{"answers-dropped", full, without(events.KindDropped), "0 dropped events about segments dropped by NETFILTER_DROP"},
	{"answers-dropped", noDropReasons, without(events.KindDropped), "0 dropped events about segments dropped by NETFILTER_DROP"},
	{"answers-dropped", full, nth(events.KindDropped, 0, func(e *events.Event) { e.Drop.Direction = events.DirectionOut }), "dropped event says out NETFILTER_DROP in somewhere"},
	{"answers-dropped", full, nth(events.KindDropped, 0, func(e *events.Event) { e.Drop.Reason = "TC_EGRESS" }), "dropped event says in TC_EGRESS"},
	{"answers-dropped", full, nth(events.KindDropped, 0, func(e *events.Event) { e.Drop.Reason = "" }), "dropped event says in  in somewhere"},
	{"answers-dropped", noDropReasons, nth(events.KindDropped, 0, func(e *events.Event) { e.Drop.Reason = "IP_RPFILTER" }), "dropped event says in IP_RPFILTER"},
	{"answers-dropped", full, nth(events.KindDropped, 0, func(e *events.Event) { e.Drop.Where = "" }), "does not say what dropped the segment, or where"},
	{"answers-dropped", full, nth(events.KindDropped, 0, func(e *events.Event) { e.Drop.Text = "" }), "does not say what dropped the segment, or where"},
	{"neighbour-gone", full, without(events.KindDropped), "0 dropped events about segments dropped by NEIGH_FAILED"},
	{"neighbour-gone", full, without(events.KindICMP), "0 icmp events, 3 captured"},
	{"md5", noDropReasons, without(events.KindDropped), "0 dropped events about segments dropped by TCP_MD5FAILURE"},
	{"data-answers-dropped", full, without(events.KindDropped), "0 dropped events about segments dropped by NETFILTER_DROP"},
	{"congested", full, without(events.KindDropped), "0 dropped events about segments dropped by QDISC_DROP"},
	{"probes-dropped", noSendErrors, without(events.KindDropped), "0 dropped events about segments dropped by NETFILTER_DROP"},
	{"alive", full, with(events.KindDropped, dropped(events.DirectionIn, "NETFILTER_DROP")), "dropped event says in NETFILTER_DROP"},
	{"unreachable", full, with(events.KindDropped, dropped(events.DirectionOut, "SOCKET_FILTER")), "dropped event says out SOCKET_FILTER"},
	{"vanished", full, with(events.KindDropped, dropped(events.DirectionIn, "SOCKET_FILTER")), "dropped event says in SOCKET_FILTER"},
	{"answers-dropped", full, with(events.KindDropped, dropped(events.DirectionIn, "NETFILTER_DROP")), "2 dropped events about segments dropped by NETFILTER_DROP"},
}

func dropped(d events.Direction, reason string) func(*events.Event) {
	return func(e *events.Event) {
		e.Drop = events.Drop{Direction: d, Reason: reason, Text: "something", Where: "somewhere"}
	}
}
