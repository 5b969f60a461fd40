// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// capture reads the packets of one interface and follows one connection in
// them. Where both ends are on lo each packet passes twice: going out, and
// coming in.
type capture struct {
	sock      *socket
	following bool
	done      chan struct{} // closed when the reader has ended

	mu   sync.Mutex
	wire wire
}

// openCapture begins to keep the interface's packets. It runs on a thread in
// the interface's namespace.
func openCapture(ifname string) (*capture, error) {
	nic, err := net.InterfaceByName(ifname)
	if err != nil {
		return nil, fmt.Errorf("capture on interface %q: %w", ifname, err)
	}
	// Protocol 0 until it is bound: else packets of other interfaces come first.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("capture on interface %q: %w (needs CAP_NET_RAW and CONFIG_PACKET)", ifname, err)
	}
	s, err := newSocket(fd, "capture")
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 4<<20),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: nic.Index}),
	)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("capture on interface %q: %w", ifname, err)
	}
	return &capture{sock: s, done: make(chan struct{})}, nil
}

// follow begins to read, with what was kept since the opening.
func (c *capture) follow(local, remote netip.AddrPort) {
	c.wire.local, c.wire.remote, c.following = local, remote, true
	go func() {
		defer close(c.done)
		_ = c.sock.raw.Read(func(fd uintptr) bool {
			c.drain(int(fd))
			return false // wait for more, until stop
		})
	}()
}

// stop ends the reader, takes what is left, and returns all that was seen.
func (c *capture) stop() (Capture, error) {
	if err := c.sock.file.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return Capture{}, fmt.Errorf("stop the capture: %w", err)
	}
	<-c.done
	var stats *unix.TpacketStats
	err := c.sock.control(func(fd int) (err error) {
		c.drain(fd)
		stats, err = unix.GetsockoptTpacketStats(fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		return err
	})
	if err != nil {
		return Capture{}, fmt.Errorf("read the capture's statistics: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wire.Dropped = uint64(stats.Drops)
	return c.wire.Capture, nil
}

// seen is a snapshot of what has been captured so far.
func (c *capture) seen() Capture {
	c.mu.Lock()
	defer c.mu.Unlock()
	snapshot := c.wire.Capture
	snapshot.Probes = slices.Clone(snapshot.Probes)
	snapshot.WindowProbes = slices.Clone(snapshot.WindowProbes)
	snapshot.ICMP = slices.Clone(snapshot.ICMP)
	snapshot.Probed = slices.Clone(snapshot.Probed)
	return snapshot
}

// deafen makes what comes count as not heard from now on: this host is going to
// drop it behind the capture.
func (c *capture) deafen() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wire.deaf = time.Now()
}

// rollBack takes the sender's next sequence number to be so much lower, once the
// capture is where the sender is; until then it says false.
func (c *capture) rollBack(next, by uint32) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wire.next != next {
		return false
	}
	c.wire.next -= by
	return true
}

// drain reads packets until there are none.
func (c *capture) drain(fd int) {
	var buf [512]byte // headers are enough: lengths come from them
	var oob [128]byte
	for {
		n, oobn, _, from, err := unix.Recvmsg(fd, buf[:], oob[:], unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return
		}
		link, ok := from.(*unix.SockaddrLinklayer)
		if !ok {
			continue
		}
		p, ok := parsePacket(buf[:n])
		if !ok {
			continue
		}
		at := packetTime(oob[:oobn])
		c.mu.Lock()
		switch link.Pkttype {
		case unix.PACKET_OUTGOING:
			c.wire.sent(at, p)
		case unix.PACKET_HOST:
			c.wire.received(at, p)
		}
		c.mu.Unlock()
	}
}

// packetTime is the time that the kernel gave to a packet, or now.
func packetTime(oob []byte) time.Time {
	now := time.Now()
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return now
	}
	for _, m := range messages {
		if m.Header.Level != unix.SOL_SOCKET || m.Header.Type != unix.SCM_TIMESTAMPNS || len(m.Data) < 16 {
			continue
		}
		at := time.Unix(int64(binary.NativeEndian.Uint64(m.Data)), int64(binary.NativeEndian.Uint64(m.Data[8:])))
		// A packet on lo may still carry the time at which TCP meant to send
		// it, by another clock.
		if d := now.Sub(at); d > -time.Second && d < time.Hour {
			return at
		}
	}
	return now
}

func networkOrder(v uint16) uint16 {
	return binary.NativeEndian.Uint16([]byte{byte(v >> 8), byte(v)})
}

// close frees the capture, followed or not.
func (c *capture) close() error {
	err := c.sock.close()
	if c.following {
		<-c.done
	}
	return err
}
