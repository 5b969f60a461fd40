// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"katrace/test/childtest"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// cluster is a client's namespace and several hosts', each on a wire of its own:
// the client has 10.98.N.1, host N has 10.98.N.2.
type cluster struct {
	t      *testing.T
	inum   uint64
	client *os.File
	hosts  []*os.File
	ln     []int   // of each host
	socks  [][]int // the client's, of each host
	peers  [][]int // their other ends
	made   int     // connections
}

const clusterPort = 5432

func newCluster(t *testing.T, hosts, conns int) *cluster {
	t.Helper()
	c := &cluster{t: t}
	t.Cleanup(c.close)
	c.client = c.namespace(nil)
	var st unix.Stat_t
	if err := unix.Fstat(int(c.client.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	c.inum = st.Ino
	for n := range hosts {
		host := c.namespace(nil)
		c.hosts = append(c.hosts, host)
		inNamespace(t, c.client, func() error {
			veth := netlink.NewVeth(netlink.LinkAttrs{Name: fmt.Sprintf("h%d", n)})
			veth.PeerName, veth.PeerNamespace = "eth0", netlink.NsFd(host.Fd())
			if err := netlink.LinkAdd(veth); err != nil {
				return err
			}
			return addressed(veth.Name, fmt.Sprintf("10.98.%d.1/24", n))
		})
		inNamespace(t, host, func() (err error) {
			if err = addressed("eth0", fmt.Sprintf("10.98.%d.2/24", n)); err != nil {
				return err
			}
			ln, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			if err != nil {
				return err
			}
			c.ln = append(c.ln, ln)
			if err := unix.Bind(ln, &unix.SockaddrInet4{Port: clusterPort}); err != nil {
				return err
			}
			return unix.Listen(ln, 1024)
		})
		c.socks, c.peers = append(c.socks, nil), append(c.peers, nil)
		for range conns {
			c.connect(n)
		}
	}
	return c
}

// namespace is a network namespace that goes with its sockets.
func (c *cluster) namespace(ns *os.File) (file *os.File) {
	c.t.Helper()
	inNamespace(c.t, ns, func() (err error) {
		file, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return file
}

func addressed(link, addr string) error {
	l, err := netlink.LinkByName(link)
	if err != nil {
		return err
	}
	a, err := netlink.ParseAddr(addr)
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(l, a); err != nil {
		return err
	}
	return netlink.LinkSetUp(l)
}

// connect makes one more connection to a host, with keepalive on.
func (c *cluster) connect(host int) {
	c.t.Helper()
	inNamespace(c.t, c.client, func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		c.socks[host] = append(c.socks[host], fd)
		c.made++ // no two connections have one port: they are told apart by it
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: clusterPort + c.made}); err != nil {
			return err
		}
		if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: [4]byte{10, 98, byte(host), 2}, Port: clusterPort}); err != nil {
			return err
		}
		for _, o := range [][3]int{{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1}, {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1},
			{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 127}, {unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1}} {
			if err := unix.SetsockoptInt(fd, o[0], o[1], o[2]); err != nil {
				return err
			}
		}
		return nil
	})
	fd, _, err := unix.Accept4(c.ln[host], unix.SOCK_CLOEXEC)
	if err != nil {
		c.t.Fatal(err)
	}
	c.peers[host] = append(c.peers[host], fd)
}

// dies has a host answer nothing from now on.
func (c *cluster) dies(host int) {
	c.t.Helper()
	inNamespace(c.t, c.hosts[host], func() error {
		return netlink.RouteAdd(&netlink.Route{Type: unix.RTN_BLACKHOLE,
			Dst: &net.IPNet{IP: net.IPv4(10, 98, byte(host), 1).To4(), Mask: net.CIDRMask(32, 32)}})
	})
}

// restarts has a host forget its connections, without a word to the client, which
// finds that out by its probes, and connects again.
func (c *cluster) restarts(host int) {
	c.t.Helper()
	for _, fd := range c.peers[host] {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, 1); err != nil {
			c.t.Fatal(err)
		}
		_ = unix.Close(fd)
	}
	old := c.socks[host]
	c.socks[host], c.peers[host] = nil, nil
	for _, fd := range old {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		for {
			n, err := unix.Poll(poll, 60_000)
			if err == unix.EINTR {
				continue
			}
			if n != 1 || err != nil {
				c.t.Fatalf("a forgotten connection does not end: %d, %v", n, err)
			}
			break
		}
		_ = unix.Close(fd)
		c.connect(host)
	}
}

// lastHeard is when the connection to a host was last heard of that was heard of
// first, by the kernel's own account.
func (c *cluster) lastHeard(host int) (first time.Time) {
	c.t.Helper()
	for _, fd := range c.socks[host] {
		info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			c.t.Fatal(err)
		}
		if at := time.Now().Add(-time.Duration(info.Last_ack_recv) * time.Millisecond); first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

func (c *cluster) close() {
	for _, list := range append(append(c.socks, c.peers...), c.ln) {
		for _, fd := range list {
			_ = unix.Close(fd)
		}
	}
	for _, f := range append(c.hosts, c.client) {
		if f != nil {
			_ = f.Close()
		}
	}
}

// text is katrace's text stream of the client, attached.
func (c *cluster) text() (stdout *childtest.Buffer, stop func() (said string)) {
	c.t.Helper()
	stdout, stderr := &childtest.Buffer{}, &childtest.Buffer{}
	cmd := command("-o", "text", "--attach", string(anyBackend()), "--netns", fmt.Sprint(c.inum))
	cmd.Stdout, cmd.Stderr = stdout, stderr
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = cmd.Process.Kill() })
	waitFor(c.t, 2*time.Minute, "katrace to attach", func() bool { return strings.Contains(stderr.String(), "attached by") })
	return stdout, func() string {
		c.t.Helper()
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			c.t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			c.t.Fatalf("katrace: %v; it said: %s", err, stderr)
		}
		return stderr.String()
	}
}

// TestIncident: one host of three dies. The end of the text stream says so in a
// sentence, with the time that the kernel has of the last segment.
func TestIncident(t *testing.T) {
	nativeOnly(t)
	const conns = 8
	c := newCluster(t, 3, conns)
	stdout, stop := c.text()
	answered := func(host int) int { return seenTuples(stdout.String(), host, "peer answered") }
	waitFor(t, time.Minute, "all connections to be probed", func() bool { return answered(0)+answered(1)+answered(2) == 3*conns })
	c.dies(1)
	waitFor(t, time.Minute, "the host's connections to be silent", func() bool { return seenTuples(stdout.String(), 1, " unanswered,") == conns })
	time.Sleep(3 * time.Second) // katrace looks once a second
	heard := c.lastHeard(1)
	said := stop()
	var found bool
	for at := heard.Add(-time.Second); !at.After(heard.Add(time.Second)); at = at.Add(time.Second) {
		found = found || strings.Contains(said, fmt.Sprintf("%d known connections to 10.98.1.2 silent since %s\n", conns, at.UTC().Format("15:04:05Z")))
	}
	if !found || strings.Count(said, "known connection") != 1 {
		t.Errorf("host 1 was last heard at %s; said:\n%s", heard.UTC().Format("15:04:05.000Z"), said)
	}
	if !strings.Contains(said, "10.98.1.2:5432  8 silent of 8,") || strings.Contains(said, "10.98.0.2") {
		t.Errorf("the groups are wrong:\n%s", said)
	}
}

// seenTuples is how many connections to a host have a line with the words.
func seenTuples(text string, host int, words string) int {
	seen := map[string]bool{}
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 4 && f[4] == fmt.Sprintf("10.98.%d.2:%d", host, clusterPort) && strings.Contains(line, words) {
			seen[f[2]] = true
		}
	}
	return len(seen)
}

// TestRollingRestart: hosts forget their connections one after another, which are
// made anew. That is no incident, though all of a host's are reset at once.
func TestRollingRestart(t *testing.T) {
	nativeOnly(t)
	const conns = 6
	c := newCluster(t, 3, conns)
	stdout, stop := c.text()
	known := func(host int) int { return seenTuples(stdout.String(), host, "peer answered") }
	waitFor(t, time.Minute, "all connections to be probed", func() bool { return known(0)+known(1)+known(2) == 3*conns })
	time.Sleep(11 * time.Second) // resets of shorter connections are nobody's concern
	for host := range 3 {
		before := known(host)
		c.restarts(host)
		waitFor(t, time.Minute, "the new connections to be probed", func() bool { return known(host) == before+conns })
	}
	time.Sleep(17 * time.Second) // by then it would have been said
	said := stop()
	if n := seenTuples(stdout.String(), 0, "RST"); n < conns {
		t.Fatalf("%d connections were reset: this test sees nothing; %s", n, stdout)
	}
	if strings.Contains(said, "known connections") || !strings.Contains(said, "18 connections not alive") {
		t.Errorf("said:\n%s", said)
	}
}
