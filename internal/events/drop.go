// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"slices"
	"strings"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// dropNames names what records of dropped segments hold in numbers: a
// loader.Tracer.
type dropNames interface {
	DropReason(*loader.Record) string
	DropPlace(*loader.Record) string
}

// cause is a reason for which the kernel drops segments.
type cause struct {
	reason string // SKB_DROP_REASON_…; with * behind it all that begin so
	// in and out are functions that drop segments for nothing else, by the way that
	// the segment goes. Where the kernel gives no reason, before 5.17 and at some
	// places after, a drop elsewhere is not told of: the function frees what was
	// received or sent, too.
	in, out []string
	text    string // what drops it
	look    string // what to look at
}

// causes are those that matter, and how they are told of. The first that fits
// counts. (include/net/dropreason-core.h; the functions as of 5.10.)
var causes = []cause{
	{"NETFILTER_DROP", []string{"nf_hook_slow", "nf_reinject"}, []string{"nf_hook_slow", "nf_reinject"},
		"the firewall (nftables, iptables)", "Look at its rules: nft list ruleset, iptables-save"},
	{"TC_EGRESS", nil, []string{"__dev_queue_xmit", "sch_handle_egress", "tcf_qevent_handle"},
		"tc on the way out of an interface", "Look at the filters: tc filter show dev IFNAME egress"},
	{"TC_INGRESS", []string{"__netif_receive_skb_core", "sch_handle_ingress"}, nil,
		"tc on the way in by an interface", "Look at the filters: tc filter show dev IFNAME ingress"},
	{"QDISC_*", nil, []string{"kfree_skb_list", "kfree_skb_list_reason"},
		"an interface's queue (full, or without a carrier)", "Look at its counters: tc -s qdisc, ip -s link"},
	{"FQ_*", nil, nil, "an interface's queue (fq)", "Look at its counters: tc -s qdisc"},
	{"XDP", []string{"do_xdp_generic", "netif_receive_generic_xdp"}, nil,
		"an XDP program", "Look at the interface: ip link show, bpftool net"},
	{"IP_RPFILTER", nil, nil,
		"the reverse path filter (rp_filter)", "The route back to the peer does not lead by the interface on which its segments come: sysctl net.ipv4.conf.all.rp_filter, ip route get"},
	{"IP_INNOROUTES", []string{"ip_rcv_finish_core", "ip_rcv_finish"}, nil,
		"routing (rp_filter, or no route)", "Look at the routes and at rp_filter: ip route get, sysctl net.ipv4.conf.all.rp_filter"},
	{"IP_OUTNOROUTES", nil, nil, "routing (no route to the peer)", "Look at the routes: ip route get"},
	{"NEIGH_*", nil, []string{"arp_error_report", "ndisc_error_report", "neigh_invalidate", "__neigh_event_send"},
		"neighbour resolution (the next hop answers no ARP or neighbour discovery)", "Look at the neighbours: ip neigh"},
	{"SOCKET_FILTER", nil, nil,
		"a socket filter (SO_ATTACH_FILTER, or a cgroup's BPF program)", "Look at the filters: ss -0 -b, bpftool cgroup tree"},
	{"BPF_CGROUP_EGRESS", nil, []string{"ip_finish_output", "ip6_finish_output"},
		"a cgroup's BPF program", "Look at the programs: bpftool cgroup tree"},
	{"CPU_BACKLOG", []string{"enqueue_to_backlog"}, nil,
		"a processor's full backlog", "Look at the second column of /proc/net/softnet_stat, and sysctl net.core.netdev_max_backlog"},
	{"SOCKET_BACKLOG", nil, nil,
		"the socket's full backlog", "Its process holds the socket's lock for long, or is starved: nstat TcpExtTCPBacklogDrop"},
	{"TCP_MD5*", nil, nil, "TCP MD5 (a signature is missing, not expected, or wrong)", "The two ends do not agree on TCP_MD5SIG: nstat TcpExtTCPMD5NotFound TcpExtTCPMD5Unexpected TcpExtTCPMD5Failure"},
	{"TCP_AO*", nil, nil, "the TCP authentication option (missing, not expected, or wrong)", "The two ends do not agree on their keys (TCP_AO): nstat TcpExtTCPAOBad TcpExtTCPAOKeyNotFound"},
	{"TCP_RFC7323_PAWS", nil, nil,
		"PAWS (its time stamp is older than one before it)", "The peer's clock of TCP time stamps went back, or a middlebox or another host speaks for it: nstat TcpExtPAWSEstab"},
	{"TCP_ACK_UNSENT_DATA", nil, nil,
		"TCP (it acknowledges what this host has not sent)", "The peer is ahead of this host's sequence numbers: was this virtual machine, or this process, restored from a snapshot?"},
	{"TCP_TOO_OLD_ACK", nil, nil,
		"TCP (what it acknowledges was acknowledged long ago)", "The peer is behind this host's sequence numbers: was it restored from a snapshot?"},
	{"TCP_INVALID_*", nil, nil,
		"TCP (its sequence number is outside the window)", "The two ends do not agree on sequence numbers: was one restored from a snapshot, or does another host have the peer's address?"},
	{"TCP_OVERWINDOW", nil, nil, "TCP (its sequence number is outside the window)", "The two ends do not agree on sequence numbers: was one restored from a snapshot?"},
	{"TCP_ZEROWINDOW", nil, nil, "TCP (the receive window is closed)", "The application here does not read"},
	{"TCP_MINTTL", nil, nil, "IP_MINTTL (it came from too far)", "The socket's IP_MINTTL (BGP's TTL security) is above what the path leaves of the peer's TTL"},
	{"TCP_CSUM", nil, nil, "a wrong TCP checksum", "A network card or something on the way damages segments: nstat TcpInCsumErrors"},
	{"IP_CSUM", nil, nil, "a wrong IP checksum", "A network card or something on the way damages packets"},
	{"XFRM_POLICY", nil, nil, "an IPsec policy", "Look at the policies: ip xfrm policy"},
	{"SOCKET_RCVBUFF", nil, nil, "the socket's full receive buffer", "The application here does not read"},
	{"PROTO_MEM", nil, nil, "TCP's memory, which is used up", "Look at /proc/net/sockstat and sysctl net.ipv4.tcp_mem"},
	{"NOMEM", nil, nil, "the kernel, which had no memory", "Look at the kernel's log"},
	{"", []string{"tcp_v4_rcv", "tcp_v6_rcv"}, nil,
		"TCP (a socket filter, MD5, a checksum, or a full backlog)", "This kernel does not tell which: nstat TcpExtTCPMD5NotFound TcpExtTCPBacklogDrop TcpInCsumErrors"},
}

// harmless are reasons for which nothing is lost that either end waits for.
var harmless = []string{
	"PACKET_SOCK_ERROR",                                                       // a copy for a packet socket (tcpdump) that is full
	"NO_SOCKET",                                                               // the peer's end was on this host: a RST answers, which is told
	"TCP_OLD_DATA", "TCP_OLD_SEQUENCE", "TCP_OLD_ACK", "TCP_RFC7323_PAWS_ACK", // came before
	"TCP_OFOMERGE", "TCP_RESET", "TCP_CLOSE", "TCP_FASTOPEN", // taken
}

// drop says why and where the segment was dropped, and whether that is certain
// enough, and of interest.
func (t *Tracker) drop(r *loader.Record, e *Event) bool {
	if t.drops == nil {
		return false
	}
	d := Drop{Direction: Direction(r.Reason), Reason: t.drops.DropReason(r), Where: t.drops.DropPlace(r)}
	c := d.cause()
	if d.isHarmless() || d.Reason == "" && c == nil {
		return false
	}
	if c != nil {
		d.Text = c.text
		if c.reason == "NETFILTER_DROP" && strings.HasPrefix(d.Where, "nft_") {
			d.Text = "nftables"
		}
	}
	e.Drop = d
	return true
}

// isHarmless: nothing is lost that either end waits for. Where the peer's end is on
// this host, too, its TCP drops each probe after it has answered: as
// TCP_OLD_SEQUENCE, and before 6.2 as TCP_INVALID_SEQUENCE.
func (d *Drop) isHarmless() bool {
	return slices.Contains(harmless, d.Reason) || d.Direction == DirectionOut && strings.HasPrefix(d.Reason, "TCP_")
}

// cause finds the drop in the table, nil if it is not there.
func (d *Drop) cause() *cause {
	for i := range causes {
		c := &causes[i]
		places := c.in
		if d.Direction == DirectionOut {
			places = c.out
		}
		prefix, wild := strings.CutSuffix(c.reason, "*")
		switch {
		case d.Reason == "" && slices.Contains(places, d.Where),
			d.Reason != "" && d.Reason == c.reason,
			d.Reason != "" && wild && strings.HasPrefix(d.Reason, prefix):
			return c
		}
	}
	return nil
}

// Advice says what the drop means and what to look at, in sentences.
func (d *Drop) Advice() string {
	by := d.Text
	if by == "" {
		by = "the kernel"
	}
	advice := "Segments of this connection are dropped on this host by " + by + d.detail() + "; which side's is not known."
	switch d.Direction {
	case DirectionIn:
		advice = "The peer is not silent: what it sends reaches this host, and is dropped here by " + by + d.detail() + "."
	case DirectionOut:
		advice = "What this side sends does not reach the peer: it is dropped on this host by " + by + d.detail() + "."
	}
	if c := d.cause(); c != nil {
		advice += " " + c.look + "."
	}
	return advice
}

// detail is the kernel's words for it: ": NETFILTER_DROP in nft_do_chain".
func (d *Drop) detail() string {
	switch {
	case d.Reason != "" && d.Where != "":
		return ": " + d.Reason + " in " + d.Where
	case d.Reason+d.Where != "":
		return ": " + d.Reason + d.Where
	}
	return ""
}

func appendDropWords(dst []byte, d *Drop) []byte {
	whose := "a segment" // the direction is not known: a later version wrote it
	switch d.Direction {
	case DirectionOut:
		whose = "this side's segment"
	case DirectionIn:
		whose = "the peer's segment"
	}
	dst = append(dst, whose...)
	dst = append(dst, " was dropped on this host"...)
	if d.Text != "" {
		dst = conn.AppendSafe(append(dst, " by "...), d.Text)
	}
	return conn.AppendSafe(dst, d.detail())
}
