// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/internal/loader"
)

// load is connections on the loopback of a network namespace of their own,
// whose keepalive timers fire once a second. The namespace has no name, and
// goes with its sockets.
type load struct {
	t       *testing.T
	inum    uint32
	ns      *os.File
	netstat *os.File
	ln      int
	socks   []int // the sides that probe; the others stay in the listener's queue
	closed  sync.Once
}

// silentTTL marks packets that the other side drops: its filter looks at it.
const silentTTL = 7

// newLoad makes n connections, keepalive still off. Probes go unanswered if
// silent; count is TCP_KEEPCNT.
func newLoad(t *testing.T, n int, silent bool, count int) *load {
	t.Helper()
	l := &load{t: t, ln: -1}
	t.Cleanup(l.close)
	inNamespace(t, nil, func() error { return l.make(n, silent, count) })
	return l
}

// inNamespace runs f in a network namespace, a new one if it is nil. The thread
// comes back afterwards: one that ended would take with it every katrace that
// was started on it (Pdeathsig).
func inNamespace(t *testing.T, ns *os.File, f func() error) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = home.Close() }()
	if ns == nil {
		err = unix.Unshare(unix.CLONE_NEWNET)
	} else {
		err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET)
	}
	if err != nil {
		t.Fatal(err)
	}
	err = f()
	if err := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); err != nil {
		panic(err) // the other tests would run in a namespace that is not theirs
	}
	if err != nil {
		t.Fatalf("in a network namespace: %v", err)
	}
}

func (l *load) make(n int, silent bool, count int) error {
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return err
	}
	l.inum = uint32(st.Ino)
	var err error
	if l.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return err
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	for name, value := range map[string]string{"core/somaxconn": "65535", "ipv4/tcp_max_syn_backlog": "65535", "ipv4/ip_local_port_range": "1024 65535"} {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
			return err
		}
	}
	if l.netstat, err = os.Open("/proc/thread-self/net/netstat"); err != nil {
		return err
	}
	if l.ln, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
		return err
	}
	if err := unix.Bind(l.ln, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := dropSilent(l.ln); err != nil {
		return err
	}
	if err := unix.Listen(l.ln, 65535); err != nil {
		return err
	}
	for range n {
		if err := l.connect(0, silent, count); err != nil {
			return err
		}
	}
	return nil
}

// dropSilent has a socket, and those accepted from it, drop packets with silentTTL.
func dropSilent(fd int) error {
	netOff := -0x100000 // SKF_NET_OFF in include/uapi/linux/filter.h
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: uint32(int32(netOff + 8))}, // IPv4's TTL
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: silentTTL},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
	}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})
}

// connect makes one more connection, from that port if it is not 0. The
// calling thread has to be in the namespace.
func (l *load) connect(port int, silent bool, count int) error {
	to, err := unix.Getsockname(l.ln)
	if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	l.socks = append(l.socks, fd)
	set := func(level, name, value int) {
		if err == nil {
			err = unix.SetsockoptInt(fd, level, name, value)
		}
	}
	set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && port != 0 {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port})
	}
	if err == nil {
		err = unix.Connect(fd, to)
	}
	if silent {
		set(unix.IPPROTO_IP, unix.IP_TTL, silentTTL)
	}
	set(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 1)
	set(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 1)
	set(unix.IPPROTO_TCP, unix.TCP_KEEPCNT, count)
	if err == nil {
		// A close then leaves nothing: no FIN that nobody answers.
		err = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	}
	return err
}

// keepalive switches SO_KEEPALIVE of all connections.
func (l *load) keepalive(on int) {
	l.t.Helper()
	for _, fd := range l.socks {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, on); err != nil {
			l.t.Fatal(err)
		}
	}
}

func (l *load) begin() { l.t.Helper(); l.keepalive(1) }

// end stops the timers and returns the namespace's TcpExtTCPKeepAlive.
func (l *load) end() uint64 {
	l.t.Helper()
	l.keepalive(0)
	return l.counted()
}

func (l *load) counted() uint64 {
	l.t.Helper()
	if _, err := l.netstat.Seek(0, io.SeekStart); err != nil {
		l.t.Fatal(err)
	}
	text, err := io.ReadAll(l.netstat)
	if err != nil {
		l.t.Fatal(err)
	}
	n, err := lab.ProbesIn(text)
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}

// conns are the connections as events name them.
func (l *load) conns() []conn.ID {
	l.t.Helper()
	var conns []conn.ID
	for _, fd := range l.socks {
		c, err := l.conn(fd)
		if err != nil {
			l.t.Fatal(err)
		}
		conns = append(conns, c)
	}
	return conns
}

func (l *load) conn(fd int) (conn.ID, error) {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return conn.ID{}, err
	}
	remote, err := unix.Getsockname(l.ln)
	if err != nil {
		return conn.ID{}, err
	}
	at := func(s unix.Sockaddr) netip.AddrPort {
		a := s.(*unix.SockaddrInet4)
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	}
	return conn.ID{Netns: l.inum, Local: at(local), Remote: at(remote)}, nil
}

// only are the flags that restrict katrace to this load.
func (l *load) only() string { return fmt.Sprintf("--netns=%d", l.inum) }

// noDrops leaves out that the peers' filters drop the probes, on this host: there
// is no witness of how many of these were seen.
const noDrops = "--event=probe,answer,reset,peer_reset,enabled"

// close closes every socket, and with the last the namespace goes.
func (l *load) close() {
	l.closed.Do(func() {
		for _, fd := range l.socks {
			_ = unix.Close(fd)
		}
		if l.ln >= 0 {
			_ = unix.Close(l.ln)
		}
		for _, f := range []*os.File{l.netstat, l.ns} {
			if f != nil {
				_ = f.Close()
			}
		}
	})
}

// tally is what events say of how many records there were, seen and not.
type tally struct {
	probes  uint64
	enabled uint64
	lost    events.Lost
	lines   int // of kind lost
}

func tallyOf(evs []events.Event) (n tally) {
	for i := range evs {
		switch e := &evs[i]; e.Kind {
		case events.KindProbe:
			n.probes++
		case events.KindEnabled:
			n.enabled++
		case events.KindLost:
			n.lines++
			n.lost = n.lost.Plus(e.Lost)
		default:
		}
	}
	return n
}

// missing says how many records of a load's connections are missing beyond what
// is said to be lost; 0: none. There has to be one a probe, of which the kernel
// counted that many, and one for switching keepalive on, where the backend tells
// that. What the kernel ran no program for is counted for the whole host: it
// may be another program's, and so does not have to be missing here.
func (n tally) missing(l *load, by loader.Backend, counted uint64) int {
	want := counted
	if by.Facts().Enabled {
		want += uint64(len(l.socks))
	}
	missing := int(want) - int(n.probes+n.enabled+n.lost.Ring)
	if hidden := int(n.lost.Missed + n.lost.Skipped.Enabled); missing > 0 {
		missing = max(0, missing-hidden)
	}
	return missing
}

// tracer is a katrace and how it is attached.
type tracer struct {
	*run
	by loader.Backend
}

// startAll starts one by each backend under test.
func startAll(t *testing.T, args ...string) []tracer {
	t.Helper()
	return startBy(t, backends(), args...)
}

// startOne starts one by any backend.
func startOne(t *testing.T, args ...string) tracer {
	t.Helper()
	return startBy(t, []loader.Backend{anyBackend()}, args...)[0]
}

func startBy(t *testing.T, by []loader.Backend, args ...string) (all []tracer) {
	t.Helper()
	for _, b := range by {
		all = append(all, tracer{launch(t, b, args...), b})
	}
	for _, r := range all {
		r.attached()
	}
	return all
}

// check ends a katrace and holds what it told of a load against the kernel's
// count of its probes.
func (r tracer) check(l *load, counted uint64) tally {
	r.t.Helper()
	got := tallyOf(r.stop())
	r.t.Logf("%s: the kernel counts %d probes; %+v; %s", r.by, counted, got, lastLine(r.stderr.String()))
	if missing := got.missing(l, r.by, counted); missing != 0 || counted == 0 {
		r.t.Errorf("%s: %+v, the kernel counts %d probes: %d records are missing", r.by, got, counted, missing)
	}
	return got
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
