// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// The counters of a namespace that the lab reads, by their names in
// /proc/net/netstat. tcp_xmit_probe_skb raises one of them for every probe that
// it tries to send, whether the segment leaves or not.
const (
	counterKeepalive   = "TCPKeepAlive"
	counterWindowProbe = "TCPWinProbe"
)

// counters is a namespace's /proc/net/netstat, opened there: the file stays the
// namespace's, whichever thread reads it.
type counters struct{ file *os.File }

func openCounters(ns *namespace) (*counters, error) {
	var c counters
	err := ns.do(func() (err error) {
		c.file, err = os.Open("/proc/thread-self/net/netstat")
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open the counters of network namespace %d: %w", ns.inum, err)
	}
	return &c, nil
}

func (c *counters) close() error { return c.file.Close() }

// tcpExt reads one counter of the TcpExt group.
func (c *counters) tcpExt(name string) (uint64, error) {
	text := make([]byte, 32<<10)
	n, err := c.file.ReadAt(text, 0)
	if n == 0 && err != nil {
		return 0, fmt.Errorf("read /proc/net/netstat: %w", err)
	}
	return tcpExt(text[:n], name)
}

// tcpExt finds a counter of the TcpExt group in the text of /proc/net/netstat.
func tcpExt(text []byte, name string) (uint64, error) { return countIn(text, "TcpExt:", name) }

// countIn finds a counter in a text like that of /proc/net/netstat: two lines a
// group, the names and the values, each beginning with the group's name.
func countIn(text []byte, group, name string) (uint64, error) {
	var names [][]byte
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) == 0 || string(fields[0]) != group {
			continue
		}
		if names == nil {
			names = fields
			continue
		}
		for i, field := range names {
			if string(field) == name && i < len(fields) {
				return strconv.ParseUint(string(fields[i]), 10, 64)
			}
		}
	}
	return 0, fmt.Errorf("no counter %q among the kernel's", group+name)
}

// ProbesSent is TcpExtTCPKeepAlive of the calling thread's network namespace.
func ProbesSent() (uint64, error) {
	text, err := os.ReadFile("/proc/thread-self/net/netstat")
	if err != nil {
		return 0, err
	}
	return ProbesIn(text)
}

// ProbesIn is TcpExtTCPKeepAlive in the text of a /proc/net/netstat.
func ProbesIn(netstat []byte) (uint64, error) { return tcpExt(netstat, counterKeepalive) }
