// SPDX-License-Identifier: BSD-2-Clause

package peers

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// What each tool printed in a namespace with the inode number 4026532261.
func TestRead(t *testing.T) {
	const netns = 4026532261
	for _, c := range []struct {
		name     string
		tool     Peer
		out, say string
		want     Told
	}{
		{
			name: "bpftrace",
			tool: Peer{Read: readBpftrace},
			out: `attached
probe 48812903164031 ffff8f0184cc9a00 0 127.0.1.1:45678 127.0.1.1:1792 ino 9126 uid 0 netns 4026532261 state 1 seq 3 heard 1 1 1/0 idle 1000 1 intvl 2000 1 timeout 0
probe 48812903164031 ffff8f0184cc9a00 0 127.0.1.1:45678 127.0.1.1:1792 ino 9126 uid 0 netns 4026531840 state 1 seq 3 heard 1 1 1/0 idle 1000 1 intvl 2000 1 timeout 0
Lost 12 events
answer 48812903164031 ffff8f0184cc9a00 127.0.1.1:45678 127.0.1.1:1792 ino 9126 netns 4026532261
Lost 3 events
`,
			want: Told{Probes: 1, Lost: 15, Counts: true},
		},
		{
			name: "bpftrace that counts",
			tool: Peer{Read: readBpftrace},
			out:  "attached\n\n\n@probes[4026531840]: 4\n@probes[4026532261]: 667\n",
			want: Told{Probes: 667, Counts: true},
		},
		{
			name: "tcpdump",
			tool: tcpdump,
			out:  capture(7, 7, 45678),
			say:  "tcpdump: listening on lo, link-type EN10MB (Ethernet), snapshot length 96 bytes\n3 packets captured\n6 packets received by filter\n9 packets dropped by kernel\n",
			want: Told{Probes: 2, Lost: 9, Counts: true},
		},
		{
			name: "ss",
			tool: ss,
			out: `attached
0      0          127.0.1.1:45678     127.0.1.1:7     timer:(keepalive,1.076sec,0)
0      0          127.0.1.1:45680     127.0.1.1:7     timer:(keepalive,1.076sec,2)
0      0          127.0.1.1:7         127.0.1.1:45678
`,
			want: Told{Probes: 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.tool.Read(strings.NewReader(c.out), strings.NewReader(c.say), netns)
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
		})
	}
}

func TestReadExporter(t *testing.T) {
	got, err := readExporter(strings.NewReader(`HTTP/1.0 200 OK

# HELP ebpf_exporter_kfree_skb_total Number of calls into skb:kfree_skb with a per-reason breakdown
ebpf_exporter_kfree_skb_total{eth_proto="ipv4",ip_proto="tcp",port="7",reason="SKB_DROP_REASON_TCP_OLD_SEQUENCE"} 1.2e+06
ebpf_exporter_kfree_skb_total{eth_proto="ipv4",ip_proto="tcp",port="77",reason="SKB_DROP_REASON_TCP_OLD_SEQUENCE"} 3
`))
	if err != nil || got != (Told{Probes: 1_200_000}) {
		t.Errorf("got %+v, %v; want 1,200,000 probes", got, err)
	}
}

// capture is one of segments to these ports.
func capture(ports ...uint16) string {
	file := make([]byte, 24)
	for _, port := range ports {
		frame := make([]byte, 14+20+32)
		frame[14] = 0x45
		binary.BigEndian.PutUint16(frame[14+20+2:], port)
		header := make([]byte, 16)
		binary.NativeEndian.PutUint32(header[8:], uint32(len(frame)))
		file = slices.Concat(file, header, frame)
	}
	return string(file)
}

func TestCaptureIsWhole(t *testing.T) {
	whole := capture(7)
	if _, err := packetsTo(strings.NewReader(whole[:len(whole)-1]), 7); err == nil {
		t.Error("half a packet is no error")
	}
}

// From 6.19 on the keepalive timer shares a union without a name.
func TestMemberOfUnion(t *testing.T) {
	timer := &btf.Struct{Name: "timer_list", Size: 40}
	members := []btf.Member{
		{Name: "icsk_retransmit_timer", Type: timer, Offset: 1000 * 8},
		{Type: &btf.Union{Members: []btf.Member{{Name: "icsk_keepalive_timer", Type: timer}, {Name: "mptcp_tout_timer", Type: timer}}}, Offset: 1040 * 8},
	}
	for name, want := range map[string]uint32{"icsk_retransmit_timer": 1000, "icsk_keepalive_timer": 1040} {
		if got, ok := member(members, name); !ok || got != want {
			t.Errorf("%s: got %d, %v; want %d", name, got, ok, want)
		}
	}
	if _, ok := member(members, "sk_timer"); ok {
		t.Error("a member that is not there was found")
	}
}

func TestUnknownTool(t *testing.T) {
	if _, err := New("netstat"); err == nil || !strings.Contains(err.Error(), "tcpdump") {
		t.Errorf("got %v, want an error with the names", err)
	}
}
