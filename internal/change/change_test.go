// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/inventory"
	"katrace/test/childtest"
)

var minute = Values{Known: On | Idle | Interval | Count | UserTimeout, On: true, Idle: time.Minute, Interval: 10 * time.Second, Count: 6, UserTimeout: 45 * time.Second}

// TestDryRun: what would change is what then changes, and the owner's own
// getsockopt sees nothing of the dry run; by either method.
func TestDryRun(t *testing.T) {
	for _, method := range []inventory.Method{inventory.Auto, inventory.Netlink} {
		p := connect(t)
		before := values(t, p.ours)
		sockets := list(t, method, p)
		r := request(t, minute)
		r.Apply = false
		dry := r.doOne(t, sockets)
		dry.want(t, WouldChange, "")
		if dry.Before != before || dry.After != minute || dry.Changes != minute.Known {
			t.Errorf("a dry run: before %+v, after %+v, changes %v", dry.Before, dry.After, dry.Changes.Names())
		}
		if now := values(t, p.ours); now != before {
			t.Errorf("a dry run made %+v of %+v", now, before)
		}
		r.Apply = true
		did := r.doOne(t, sockets)
		did.want(t, Changed, "")
		if now := values(t, p.ours); now != minute || did.After != now || did.Before != before || did.Changes != dry.Changes {
			t.Errorf("applied: %+v, reported as %+v, %v", now, did.After, did.Changes.Names())
		}
		if now := values(t, p.peer); now != before {
			t.Errorf("the peer's socket was changed, too: %+v", now)
		}
		r.doOne(t, sockets).want(t, AsWanted, "")
	}
}

// TestOnlyWhatIsGiven: each setting by itself leaves the others.
func TestOnlyWhatIsGiven(t *testing.T) {
	p := connect(t)
	want := values(t, p.ours)
	for _, f := range []Field{Idle, Count, On, UserTimeout, Interval} {
		give := minute.Only(f)
		want = want.With(&give)
		res := request(t, give).doOne(t, one(t, p))
		res.want(t, Changed, "")
		if now := values(t, p.ours); now != want || res.Changes != f {
			t.Errorf("%v: now %+v, want %+v; changes %v", f.Names(), now, want, res.Changes.Names())
		}
	}
	off := Values{Known: On}
	request(t, off).doOne(t, one(t, p)).want(t, Changed, "")
	if values(t, p.ours).On {
		t.Error("it is not off")
	}
}

// TestTimerCountsIdleTime: keepalive that is switched on with an idle time of its
// own is armed by how long the connection has been idle, also where it has that
// value already; SO_KEEPALIVE alone would arm it for all of it.
func TestTimerCountsIdleTime(t *testing.T) {
	for _, had := range []bool{false, true} {
		p := connect(t)
		if had {
			must(t, unix.SetsockoptInt(p.ours, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 60))
		}
		const idle = 1500 * time.Millisecond
		time.Sleep(idle)
		request(t, Values{Known: On | Idle, On: true, Idle: time.Minute}).doOne(t, one(t, p)).want(t, Changed, "")
		s := one(t, p)[0]
		if left, runs := s.Expires(); !runs || left > time.Minute-idle {
			t.Errorf("the timer runs, %t, for %s after %s of silence, want at most %s", runs, left, idle, time.Minute-idle)
		}
	}
}

// TestHeardMeanwhile: where the peer is heard after the sockets were listed, the timer
// that is armed anew runs for longer than the list foretold, and is right.
func TestHeardMeanwhile(t *testing.T) {
	p := connect(t)
	must(t, unix.SetsockoptInt(p.ours, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 30))
	must(t, unix.SetsockoptInt(p.ours, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 30))
	time.Sleep(4 * time.Second)
	must(t, unix.SetsockoptInt(p.ours, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)) // fires after 34 s of silence
	sockets := one(t, p)
	if !sockets[0].ArmedBeforeChange {
		t.Fatal("the timer does not run too long: the staging failed")
	}
	_, err := unix.Write(p.peer, []byte{0})
	must(t, err)
	res := request(t, Values{Known: Idle, Idle: 30 * time.Second}).relist(t, p).doOne(t, sockets)
	res.want(t, Changed, "")
	if res.Timer == nil {
		t.Error("no timer was armed anew")
	}
	// A timer that still runs too long is found.
	r := request(t, Values{Known: Idle, Idle: 30 * time.Second})
	r.List = func(context.Context) ([]inventory.Socket, error) { return sockets, nil } // as it was before
	if res := r.doOne(t, sockets); res.Outcome != Failed || !strings.HasPrefix(res.Reason, "its timer still runs for ") {
		t.Errorf("%s %s, want a failure", res.Outcome, res.Reason)
	}
}

// TestReplacedDescriptor: another connection at the descriptor's number is not
// changed, nor taken for the one that was listed.
func TestReplacedDescriptor(t *testing.T) {
	p, other := connect(t), connect(t)
	before := values(t, other.ours)
	sockets := one(t, p)
	must(t, unix.Dup3(other.ours, p.ours, unix.O_CLOEXEC)) // closes what was there
	request(t, minute).relist(t, p).doOne(t, sockets).want(t, Closed, "")
	if now := values(t, other.ours); now != before {
		t.Errorf("another socket was changed: %+v", now)
	}
	// Nor is a descriptor that is none any more, or of no socket.
	for _, replace := range []func(p *pair){
		func(p *pair) { _ = unix.Close(p.ours) },
		func(p *pair) {
			null, err := os.Open("/dev/null")
			must(t, err)
			defer func() { _ = null.Close() }()
			must(t, unix.Dup3(int(null.Fd()), p.ours, unix.O_CLOEXEC))
		},
	} {
		p := connect(t)
		sockets := one(t, p)
		replace(p)
		request(t, minute).relist(t, p).doOne(t, sockets).want(t, Closed, "")
		p.ours = -1
	}
}

// TestAnotherAtTheInode: a socket that has the listed one's inode number, as it
// may once the numbers begin anew, is told by its addresses or its cookie.
func TestAnotherAtTheInode(t *testing.T) {
	p, other := connect(t), connect(t)
	before := values(t, p.ours)
	for _, method := range []inventory.Method{inventory.Auto, inventory.Netlink} {
		sockets := list(t, method, p)
		sockets[0].Local, sockets[0].Remote = one(t, other)[0].Local, one(t, other)[0].Remote
		request(t, minute).doOne(t, sockets).want(t, Closed, "")
	}
	targets := targetsOf(one(t, p))
	targets[0].want, targets[0].cookie = minute, 7
	r := request(t, minute)
	must(t, r.do(t.Context(), targets))
	targets[0].Result.want(t, Closed, "")
	if now := values(t, p.ours); now != before {
		t.Errorf("it was changed: %+v", now)
	}
}

// TestHandedOn: a socket whose holder gave it another number meanwhile is looked for again.
func TestHandedOn(t *testing.T) {
	p := connect(t)
	sockets := one(t, p)
	moved, err := unix.FcntlInt(uintptr(p.ours), unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	defer func() { _ = unix.Close(moved) }()
	must(t, unix.Close(p.ours))
	request(t, minute).relist(t, p).doOne(t, sockets).want(t, Changed, "")
	if now := values(t, moved); now != minute {
		t.Errorf("now %+v", now)
	}
	p.ours = -1
}

// TestShared: a socket that two processes hold is changed once, and both see it.
func TestShared(t *testing.T) {
	p := connect(t)
	dup, err := unix.FcntlInt(uintptr(p.ours), unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	file := os.NewFile(uintptr(dup), "socket")
	defer func() { _ = file.Close() }()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env, cmd.ExtraFiles = append(os.Environ(), asHolder+"=1"), []*os.File{file}
	childtest.Start(t, cmd)
	sockets := one(t, p)
	if sockets[0].Holders != 2 {
		t.Fatalf("%d holders, want 2: the staging failed", sockets[0].Holders)
	}
	request(t, minute).doOne(t, sockets).want(t, Changed, "")
}

// TestThread: a descriptor that only a thread has is changed where this kernel
// has pidfds of threads, and refused with the reason elsewhere.
func TestThread(t *testing.T) {
	over := make(chan struct{})
	defer close(over)
	p := connect(t)
	must(t, childtest.InThread(over, func() {})) // it has a copy of what is open
	must(t, unix.Close(p.ours))
	p.ours = -1
	res := request(t, minute).doOne(t, one(t, p))
	if res.Socket.HeldBy != conn.HeldByThread {
		t.Fatalf("held by %q: the staging failed", res.Socket.HeldBy)
	}
	if res.Outcome == Failed {
		res.want(t, Failed, "a thread apart from its process holds it, which needs Linux 6.9")
	} else {
		res.want(t, Changed, "")
	}
}

// TestRefused: what no descriptor refers to is refused with the reason.
func TestRefused(t *testing.T) {
	p := stage(t, unix.IPPROTO_TCP, false)
	queued := queue(t, p)
	r := request(t, minute)
	results, err := r.Do(t.Context(), queued)
	must(t, err)
	found := false
	for _, res := range results {
		found = true
		res.want(t, Failed, "nobody has accepted it yet, so no descriptor refers to it")
	}
	if !found {
		t.Error("the connection in the accept queue is not listed")
	}
	// A peer that does not read keeps the data of a closed connection here.
	p = connect(t)
	must(t, unix.SetNonblock(p.ours, true))
	for {
		if _, err := unix.Write(p.ours, make([]byte, 64<<10)); errors.Is(err, unix.EAGAIN) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	must(t, unix.Close(p.ours))
	r.doOne(t, one(t, p)).want(t, Failed, "its process has closed it")
	kernel := one(t, p)
	kernel[0].HeldBy, kernel[0].Module = conn.HeldByKernel, "sun\x1b[2Jrpc"
	r.doOne(t, kernel).want(t, Failed, "it is the kernel's own socket (sun?[2Jrpc)")
	p.ours = -1
}

// TestListening: what a changed listening socket accepts has its settings.
func TestListening(t *testing.T) {
	p := stage(t, unix.IPPROTO_TCP, true)
	port := portOf(t, p.listener)
	var listening []inventory.Socket
	for _, s := range socketsOf(t, inventory.Auto, conn.SocketFilter{LocalPorts: []uint16{port}}) {
		if s.TCPState == conn.TCPListen && s.Local.Addr() == loopback {
			listening = append(listening, s)
		}
	}
	request(t, minute).doOne(t, listening).want(t, Changed, "")
	c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer func() { _ = unix.Close(c) }()
	must(t, unix.Connect(c, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: int(port)}))
	accepted, _, err := unix.Accept4(p.listener, unix.SOCK_CLOEXEC)
	must(t, err)
	defer func() { _ = unix.Close(accepted) }()
	if now := values(t, accepted); now != minute {
		t.Errorf("accepted with %+v", now)
	}
	if values(t, p.peer).On {
		t.Error("what was accepted before is on, too")
	}
}

// TestEnded: a connection that has ended, whose process has not closed it yet.
func TestEnded(t *testing.T) {
	p := connect(t)
	sockets := one(t, p)
	must(t, unix.SetsockoptLinger(p.peer, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	must(t, unix.Close(p.peer)) // sends a RST
	p.peer = -1
	if _, err := unix.Read(p.ours, make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Fatalf("read: %v, want ECONNRESET", err)
	}
	request(t, minute).doOne(t, sockets).want(t, Closed, "")
}

// TestUnheld: no holder is found of a connection that was closed between the list and
// the look for its holder. That is no failure; to have none, on its way between two
// processes, is one.
func TestUnheld(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	must(t, err)
	defer func() { _, _ = unix.Close(pair[0]), unix.Close(pair[1]) }()
	p := connect(t)
	must(t, send(pair[0], p.ours))
	p.ours = -1
	sockets := one(t, p)
	r := request(t, minute)
	r.doOne(t, sockets).want(t, Failed, inventory.Unseen)
	r.relist(t, p).doOne(t, sockets).want(t, Failed, inventory.Unseen)
	p.ours, err = receive(pair[1])
	must(t, err)
	r.doOne(t, sockets).want(t, Changed, "")
	must(t, unix.Close(p.ours))
	p.ours = -1
	r.Unseen = func(uint32) bool { return true }
	r.doOne(t, sockets).want(t, Failed, inventory.Unseen)
	r.Unseen = nil
	r.doOne(t, sockets).want(t, Closed, "")
}

// TestMPTCP: an MPTCP socket is changed once, by itself, and its subflows have it then.
func TestMPTCP(t *testing.T) {
	p := stage(t, unix.IPPROTO_MPTCP, true)
	t.Logf("the MPTCP socket has of its own: %v", read(p.ours).Known.Names())
	if read(p.ours).Known&Idle == 0 {
		request(t, minute.Only(On|Idle)).relist(t, p).doOne(t, one(t, p)).
			want(t, Failed, "this kernel's MPTCP sockets have no TCP_KEEPIDLE")
		request(t, minute.Only(On)).relist(t, p).doOne(t, one(t, p)).want(t, Changed, "")
		if s := one(t, p)[0]; !s.On {
			t.Error("the subflow has keepalive off")
		}
		return
	}
	request(t, minute).relist(t, p).doOne(t, one(t, p)).want(t, Failed, "this kernel's MPTCP sockets have no TCP_USER_TIMEOUT")
	if read(p.ours).On {
		t.Error("it was changed in part")
	}
	want := minute.Only(On | Idle | Interval | Count)
	// Two rows of one socket, as two subflows are.
	sockets := append(one(t, p), one(t, p)...)
	res := request(t, want).relist(t, p).doOne(t, sockets)
	res.want(t, Changed, "")
	if has := listed(&one(t, p)[0]); res.Subflows != 2 || want.Differs(&has) != 0 {
		t.Errorf("%d subflows; the one that is there has %+v", res.Subflows, has)
	}
	// A subflow that the kernel did not change is found.
	r := request(t, Values{Known: Count, Count: 3})
	r.List = func(context.Context) ([]inventory.Socket, error) {
		other := one(t, p)
		other[0].Keepalive.Count, other[0].Has = 9, other[0].Has|conn.HasKeepalive
		return other, nil
	}
	if res := r.doOne(t, one(t, p)); res.Outcome != Failed {
		t.Errorf("a subflow with another count: %s", res.Outcome)
	}
}

// TestLostTrack: a socket whose holder let go of it is not said to be closed if the
// sockets cannot be listed again.
func TestLostTrack(t *testing.T) {
	p := connect(t)
	sockets := one(t, p)
	moved, err := unix.FcntlInt(uintptr(p.ours), unix.F_DUPFD_CLOEXEC, 0)
	must(t, err)
	defer func() { _ = unix.Close(moved) }()
	must(t, unix.Close(p.ours))
	p.ours = -1
	r := request(t, minute)
	r.List = func(context.Context) ([]inventory.Socket, error) { return nil, errors.New("too bad") }
	r.doOne(t, sockets).want(t, Failed, "its process has let go of it, and the sockets cannot be listed again to find it: too bad")
}

// TestInterrupted: what was not reached is said to be so.
func TestInterrupted(t *testing.T) {
	p := connect(t)
	before := values(t, p.ours)
	ctx, cancel := context.WithCancel(t.Context())
	sockets := one(t, p)
	cancel()
	results, err := request(t, minute).Do(ctx, sockets)
	if !errors.Is(err, context.Canceled) || len(results) != 1 {
		t.Fatalf("%v, %d results", err, len(results))
	}
	results[0].want(t, Failed, "not reached: interrupted")
	if values(t, p.ours) != before {
		t.Error("it was changed")
	}
}
