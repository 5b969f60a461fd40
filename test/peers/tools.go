// SPDX-License-Identifier: BSD-2-Clause

package peers

import (
	"io"
	"net"
	"strconv"
	"strings"
)

// pureACKs are what a filter of packets can say of keepalive probes: segments with
// no data, or with one byte. That the sequence number was acknowledged before is
// what makes such a segment a probe, and no filter knows it. Probes go to port 7.
const pureACKs = "tcp[tcpflags] & (tcp-syn|tcp-fin|tcp-rst) == 0 and ip[2:2] - ((ip[0] & 0xf) << 2) - ((tcp[12] & 0xf0) >> 2) <= 1"

// tcpdump writes the segments that may be probes to a file, to be looked through
// afterwards.
var tcpdump = Peer{
	Argv:  []string{"tcpdump", "-i", "lo", "-n", "-s", "96", "-Z", "root", "-w", "-", pureACKs},
	Ready: "listening on",
	Read: func(out, say io.Reader, _ uint64) (Told, error) {
		probes, err := packetsTo(out, 7)
		if err != nil {
			return Told{}, err
		}
		lost, err := dropped(say)
		return Told{probes, lost, true}, err
	},
}

// tshark follows each connection's sequence numbers, and so knows a probe, if it has
// seen a newer number of the connection: its handshake, or data. The probes of one that
// is idle since before the capture are duplicate ACKs to it, and not told.
var tshark = Peer{
	Argv: []string{"tshark", "-i", "lo", "-n", "-l", "-f", pureACKs, "-Y", "tcp.analysis.keep_alive",
		"-T", "fields", "-e", "frame.time_epoch", "-e", "ip.src", "-e", "tcp.srcport", "-e", "ip.dst", "-e", "tcp.dstport", "-e", "tcp.seq_raw"},
	Ready: "Capturing on",
	Read: func(out, say io.Reader, _ uint64) (Told, error) {
		probes, err := lines(out, "\t7\t")
		if err != nil {
			return Told{}, err
		}
		lost, err := dropped(say)
		return Told{probes, lost, true}, err
	},
}

// pwru shows the segments that may be probes on their way out of IP. Its queue
// overwrites the oldest event where it is full, and does not count that.
var pwru = Peer{
	Argv: []string{"pwru", "--filter-func", "^ip_output$", "--output-tuple", "--timestamp", "absolute",
		"tcp dst port 7 and " + pureACKs},
	Ready: "Listening for events",
	Read: func(out, _ io.Reader, _ uint64) (Told, error) {
		probes, err := lines(out, ":7(tcp)")
		return Told{Probes: probes}, err
	},
}

// ebpfExporter counts by port and reason what this host drops. A keepalive probe that
// arrives is among that (tcp_validate_incoming drops it once it is answered), so it
// is the peer's host on which it counts probes. It is to lie beside its examples.
var ebpfExporter = Peer{
	Argv: []string{"sh", "-c", `p=$(command -v ebpf_exporter) && exec "$p" --web.listen-address=` + exporterAddress +
		` --config.dir="${p%/*}/examples" --config.names=kfree_skb`},
	Env:   []string{"OTEL_TRACES_EXPORTER=none"},
	Ready: "Listening on",
	Ask: func() (told Told, err error) {
		conn, err := net.Dial("tcp", exporterAddress)
		if err != nil {
			return told, err
		}
		defer func() { _ = conn.Close() }()
		if _, err := io.WriteString(conn, "GET /metrics HTTP/1.0\r\n\r\n"); err != nil {
			return told, err
		}
		return readExporter(conn)
	},
}

const exporterAddress = "127.0.0.1:9435"

// readExporter adds up the drops of segments to port 7.
func readExporter(r io.Reader) (told Told, err error) {
	err = each(r, func(line string) error {
		if !strings.HasPrefix(line, "ebpf_exporter_kfree_skb_total{") || !strings.Contains(line, `port="7"`) {
			return nil
		}
		n, err := strconv.ParseFloat(line[strings.LastIndexByte(line, ' ')+1:], 64)
		told.Probes += uint64(n)
		return err
	})
	return told, err
}

// ss looks once a second, which is no trace: what it shows of a probe is that the
// timer runs after one that was not answered.
var ss = Peer{
	Argv:  []string{"sh", "-c", `trap "exit 0" INT; echo attached; while :; do ss -Htno state established; sleep 1; done`},
	Ready: "attached",
	Read: func(out, _ io.Reader, _ uint64) (told Told, err error) {
		err = each(out, func(line string) error {
			_, timer, ok := strings.Cut(line, "timer:(keepalive,")
			if ok && !strings.HasSuffix(strings.TrimSpace(timer), ",0)") {
				told.Probes++
			}
			return nil
		})
		return told, err
	},
}
