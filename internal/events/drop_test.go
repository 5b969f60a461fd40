// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"strings"
	"testing"

	"katrace/internal/loader"
)

// dropNamed names every drop the same.
type dropNamed struct{ reason, place string }

func (d dropNamed) DropReason(*loader.Record) string { return d.reason }
func (d dropNamed) DropPlace(*loader.Record) string  { return d.place }

// TestDrops: what is told of a dropped segment, and what is not: where the kernel
// gives no reason, only places that drop segments for nothing but one cause count.
func TestDrops(t *testing.T) {
	const in, out = DirectionIn, DirectionOut
	for _, tt := range []struct {
		d             Direction
		reason, place string
		text          string // "-": nothing is told
	}{
		{in, "NETFILTER_DROP", "nft_do_chain", "nftables"},
		{out, "NETFILTER_DROP", "nf_hook_slow", "the firewall"},
		{out, "NETFILTER_DROP", "", "the firewall"},
		{in, "", "nf_hook_slow", "the firewall"},
		{out, "", "nf_hook_slow", "the firewall"},
		{out, "QDISC_DROP", "__dev_queue_xmit", "an interface's queue"},
		{out, "QDISC_CONGESTED", "__dev_queue_xmit", "an interface's queue"},
		{out, "", "kfree_skb_list", "an interface's queue"},
		{in, "", "kfree_skb_list", "-"}, // fragments of what was received
		{out, "", "__dev_queue_xmit", "tc on the way out"},
		{in, "", "tcp_v4_rcv", "TCP (a socket filter"},
		{out, "", "tcp_v4_rcv", "-"}, // the peer's end, on this host: it may have been taken
		{in, "TCP_ACK_UNSENT_DATA", "tcp_ack", "TCP (it acknowledges what this host has not sent"},
		{in, "TCP_INVALID_SEQUENCE", "tcp_validate_incoming", "TCP (its sequence number"},
		{in, "TCP_MD5NOTFOUND", "tcp_inbound_hash", "TCP MD5"},
		{in, "A_NEW_ONE", "a_new_function", ""},
		{in, "", "packet_rcv", "-"},
		{out, "", "net_tx_action", "-"}, // a driver has sent it
		{in, "", "", "-"},
		{in, "PACKET_SOCK_ERROR", "tpacket_rcv", "-"},
		{in, "TCP_OLD_SEQUENCE", "tcp_validate_incoming", "-"},
		{out, "TCP_INVALID_SEQUENCE", "tcp_validate_incoming", "-"}, // 6.1: the peer's end, on this host, has answered the probe
		{out, "NO_SOCKET", "tcp_v4_rcv", "-"},
	} {
		tracker := NewTracker(jiffy)
		tracker.NameDrops(dropNamed{tt.reason, tt.place})
		r := probeRecord()
		r.Kind, r.Reason = loader.RecordDropped, uint8(tt.d)
		told := "-"
		err := tracker.Record(&r, func(e *Event) error {
			told = e.Drop.Text
			if e.Kind != KindDropped || e.Drop.Direction != tt.d || e.Drop.Reason != tt.reason || e.Drop.Where != tt.place {
				t.Errorf("%+v: %s %+v", tt, e.Kind, e.Drop)
			}
			if e.Verdict != 0 {
				t.Errorf("%+v: verdict %s: a drop by itself is none", tt, e.Verdict)
			}
			return nil
		})
		if err != nil || !strings.HasPrefix(told, tt.text) || (tt.text == "") != (told == "") {
			t.Errorf("%s %q in %q: %q, %v; want %q", tt.d, tt.reason, tt.place, told, err, tt.text)
		}
	}
	// Nobody names them: nothing is told.
	r := probeRecord()
	r.Kind, r.Reason = loader.RecordDropped, uint8(in)
	if err := NewTracker(jiffy).Record(&r, func(e *Event) error { t.Errorf("told: %+v", e.Drop); return nil }); err != nil {
		t.Error(err)
	}
}

// TestDropDirection: whose segment it was is not guessed where a recording has a
// direction that this version does not know.
func TestDropDirection(t *testing.T) {
	e, _ := ParseJSON([]byte(`{"v":1,"time":"2026-11-22T01:02:03Z","event":"dropped","drop":{"direction":"strange","reason":"NETFILTER_DROP"}}`))
	if got := string(AppendWords(nil, &e)); got != "a segment was dropped on this host" {
		t.Errorf("said %q", got)
	}
	if got := e.Drop.Advice(); strings.Contains(got, "peer") || strings.Contains(got, "this side") {
		t.Errorf("advised %q", got)
	}
}

// TestCauses: every entry can be told of, and says what to look at.
func TestCauses(t *testing.T) {
	seen := map[string]bool{}
	for i := range causes {
		c := &causes[i]
		if c.text == "" || c.look == "" || c.reason == "" && len(c.in)+len(c.out) == 0 {
			t.Errorf("%+v: lacks something", c)
		}
		for _, name := range append([]string{c.reason}, append(append([]string{}, prefixed("in ", c.in)...), prefixed("out ", c.out)...)...) {
			if name != "" && seen[name] {
				t.Errorf("%q is there twice", name)
			}
			seen[name] = true
		}
		if c.reason != "" {
			reason, _ := strings.CutSuffix(c.reason, "*")
			d := Drop{Direction: DirectionIn, Reason: reason, Text: c.text}
			if got := d.cause(); got != c {
				t.Errorf("%s: another entry comes before it: %+v", c.reason, got)
			}
			if !strings.Contains(d.Advice(), c.look) {
				t.Errorf("%s: %s", c.reason, d.Advice())
			}
		}
	}
}

func prefixed(prefix string, names []string) (all []string) {
	for _, n := range names {
		all = append(all, prefix+n)
	}
	return all
}
