// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// The parts of linux/inet_diag.h and linux/sock_diag.h that are used. The
// parsing is our own because a machine may have a million sockets: netlink
// libraries give each as several objects, all at once.
const (
	sockDiagByFamily = 20
	diagInfo         = 2  // INET_DIAG_INFO: struct tcp_info
	diagCgroupID     = 21 // INET_DIAG_CGROUP_ID, u64
	sizeofDiagMsg    = 72
	allStates        = 1<<14 - 1

	// idiag_timer
	timerNone       = 0
	timerRetransmit = 1 // and everything else that waits for an ACK
	timerKeepalive  = 2
	timerTimeWait   = 3
	timerWindow     = 4 // zero-window probe
)

var native = binary.NativeEndian

// diag is a netlink socket that asks for the TCP sockets of one namespace.
type diag struct {
	fd    int
	netns uint32
	buf   []byte
}

// openDiag opens it in the calling thread's network namespace.
func openDiag(netns uint32) (*diag, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open a sock_diag socket: %w", err)
	}
	// The kernel fills messages up to the size that was last received with.
	return &diag{fd: fd, netns: netns, buf: make([]byte, 256<<10)}, nil
}

func (d *diag) close() { _ = unix.Close(d.fd) }

// sockets calls each for every TCP socket of the family (AF_INET, AF_INET6) in
// the wanted states (a bit each). The Socket is used again after the call.
func (d *diag) sockets(ctx context.Context, family uint8, states uint32, each func(*Socket)) error {
	var req [16 + 56]byte
	native.PutUint32(req[0:], uint32(len(req)))
	native.PutUint16(req[4:], sockDiagByFamily)
	native.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	req[16], req[17] = family, unix.IPPROTO_TCP
	req[18] = 1 << (diagInfo - 1)
	native.PutUint32(req[20:], states)
	if err := unix.Sendto(d.fd, req[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return fmt.Errorf("ask sock_diag for the TCP sockets: %w", err)
	}
	var s Socket
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, _, err := unix.Recvfrom(d.fd, d.buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("read sock_diag's answer: %w", err)
		}
		done, err := eachMessage(d.buf[:n], func(msg []byte) {
			if parseDiag(msg, &s) {
				s.Netns = d.netns
				each(&s)
			}
		})
		if err != nil || done {
			return err
		}
	}
}

// eachMessage takes a datagram apart into sock_diag's messages.
func eachMessage(b []byte, each func([]byte)) (done bool, err error) {
	for len(b) >= unix.NLMSG_HDRLEN {
		size, kind := int(native.Uint32(b)), native.Uint16(b[4:])
		if size < unix.NLMSG_HDRLEN || size > len(b) {
			return true, fmt.Errorf("sock_diag's answer: a message of %d bytes in %d", size, len(b))
		}
		body := b[unix.NLMSG_HDRLEN:size]
		b = b[min(len(b), (size+3)&^3):]
		switch kind {
		case unix.NLMSG_DONE:
			return true, nil
		case unix.NLMSG_ERROR:
			if len(body) < 4 {
				return true, errors.New("sock_diag's answer: a short error")
			}
			return true, fmt.Errorf("sock_diag refuses: %w", unix.Errno(-int32(native.Uint32(body))))
		case sockDiagByFamily:
			each(body)
		}
	}
	return false, nil
}

// parseDiag reads a struct inet_diag_msg and the attributes behind it.
func parseDiag(b []byte, s *Socket) bool {
	if len(b) < sizeofDiagMsg {
		return false
	}
	*s = Socket{State: conn.State{TCPState: conn.TCPState(b[1])}, id: native.Uint64(b[44:]), fd: -1}
	timer := b[2]
	s.Family, s.Local, s.Remote = diagTuple(b)
	s.UID, s.Has = native.Uint32(b[64:]), conn.HasUID
	s.Inode = uint64(native.Uint32(b[68:]))
	if s.Inode == 0 && (s.TCPState == conn.TCPEstablished || s.TCPState == conn.TCPCloseWait) {
		s.HeldBy = conn.HeldByAcceptQueue // one that its process has closed is in another state
	}
	wqueue := native.Uint32(b[60:])
	var info []byte
	if timer == timerKeepalive {
		s.expires = time.Duration(native.Uint32(b[52:])) * time.Millisecond
		s.Has |= hasTimer
	}
	s.setTimer(timer)
	for b = b[sizeofDiagMsg:]; len(b) >= 4; {
		size, kind := int(native.Uint16(b)), native.Uint16(b[2:])
		if size < 4 || size > len(b) {
			break
		}
		switch value := b[4:size]; {
		case kind == diagInfo && len(value) >= 60 && s.Connected():
			// tcpi_probes, tcpi_last_data_recv, tcpi_last_ack_recv
			s.ProbesOut = int(value[3])
			s.IdleFor = time.Duration(min(native.Uint32(value[52:]), native.Uint32(value[56:]))) * time.Millisecond
			s.Has |= HasProbesOut | conn.HasIdleFor
			s.unsent = wqueue > 0 || native.Uint32(value[24:]) > 0 // tcpi_unacked
			info = value
		case kind == diagCgroupID && len(value) >= 8:
			s.CgroupID = native.Uint64(value)
		}
		b = b[min(len(b), (size+3)&^3):]
	}
	if s.Inode != 0 || s.Unaccepted() { // nobody reads the end of an orphan
		s.stalled(info, wqueue)
	}
	return true
}

// stalled sets what there is of a connection in which keepalive has no say, by its
// struct tcp_info and its write_seq - snd_una; the rule is stall_of() in bpf/stall.h.
// When the kernel gives up cannot be told: since when it retransmits, or probes the
// window, is not in there.
func (s *Socket) stalled(info []byte, unacked uint32) {
	const window = int(unsafe.Offsetof(unix.TCPInfo{}.Snd_wnd)) // tcpi_snd_wnd
	if len(info) < window+4 || unacked == 0 {
		return
	}
	retransmits, probes, backoff := info[2], info[3], info[4]
	inFlight, open := native.Uint32(info[24:]) > 0, native.Uint32(info[window:]) > 0
	switch {
	case inFlight && open && retransmits > 0:
		s.WaitsFor = conn.WaitsRetransmission
	case inFlight && !open && (retransmits > 0 || backoff > 0), !inFlight && !open && (backoff > 0 || probes > 0):
		s.WaitsFor = conn.WaitsWindowProbe
	default:
		return
	}
	switch s.TCPState {
	case conn.TCPFinWait1, conn.TCPClosing, conn.TCPLastAck:
		unacked-- // the FIN
	default:
	}
	s.Data, s.Has = conn.Data{Retransmits: int(retransmits), Unacked: unacked}, s.Has|conn.HasUnacked
}

// setTimer sets what follows from the timer that the kernel says is pending.
// It names one only, and retransmission hides keepalive. What it tells about
// SO_KEEPALIVE stands until the socket itself can be asked: an established
// connection's keepalive timer runs exactly while the option is on.
func (s *Socket) setTimer(timer uint8) {
	switch timer {
	case timerRetransmit:
		s.WaitsFor = conn.WaitsRetransmission
	case timerWindow:
		s.WaitsFor = conn.WaitsWindowProbe
	case timerKeepalive:
		if s.TCPState == conn.TCPFinWait2 && s.Inode == 0 {
			s.WaitsFor = conn.WaitsFinWait2
			break
		}
		s.WaitsFor = conn.WaitsProbe
		s.On, s.derived, s.Has = true, true, s.Has|HasOn
	case timerTimeWait:
		// No whole socket is left of it. tcp_time_wait() serves FIN_WAIT2, too.
		s.WaitsFor = conn.WaitsNothing
		if s.TCPState == conn.TCPFinWait2 {
			s.WaitsFor = conn.WaitsFinWait2
		}
	case timerNone:
		s.WaitsFor = conn.WaitsNothing
		if s.Connected() {
			s.On, s.derived, s.Has = false, true, s.Has|HasOn
		}
	}
}

func diagTuple(b []byte) (conn.Family, netip.AddrPort, netip.AddrPort) {
	var family conn.Family
	var local, remote netip.Addr
	if b[0] == unix.AF_INET {
		family = conn.IPv4
		local, remote = netip.AddrFrom4([4]byte(b[8:])), netip.AddrFrom4([4]byte(b[24:]))
	} else {
		family = conn.IPv6
		local, remote = netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:]))
		if remote.Is4In6() || local.Is4In6() {
			family = conn.IPv6Mapped
			local, remote = local.Unmap(), remote.Unmap()
		}
	}
	return family, netip.AddrPortFrom(local, binary.BigEndian.Uint16(b[4:])), netip.AddrPortFrom(remote, binary.BigEndian.Uint16(b[6:]))
}
