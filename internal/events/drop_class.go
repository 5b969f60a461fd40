// SPDX-License-Identifier: BSD-2-Clause

package events

import "strings"

// DropClasses lists what Drop.Class may be.
var DropClasses = []string{"firewall", "tc", "queue", "rp_filter", "tcp", "neighbour", "other"}

// Class is what dropped the segment, as one of a few words.
func (d *Drop) Class() string {
	c := d.cause()
	if c == nil {
		return "other"
	}
	for _, class := range [...]struct{ prefix, word string }{
		{"NETFILTER_", "firewall"}, {"TC_", "tc"}, {"QDISC_", "queue"}, {"FQ_", "queue"}, {"CPU_BACKLOG", "queue"}, {"SOCKET_BACKLOG", "queue"},
		{"IP_RPFILTER", "rp_filter"}, {"NEIGH_", "neighbour"}, {"TCP_", "tcp"},
	} {
		if strings.HasPrefix(c.reason, class.prefix) {
			return class.word
		}
	}
	if c.reason == "" { // in TCP's own function
		return "tcp"
	}
	return "other"
}
