// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// Hosts are two hosts with a router between them, and a connection from the near
// one to the far one, which probes it: for tests of what both sides are recorded
// to have seen.
type Hosts struct {
	net        *network
	near, far  net.Conn
	nearAddr   netip.Addr
	Near, Far  uint32  // inode numbers of their network namespaces
	Connection conn.ID // as the near host has it
}

// NewHosts makes them. With translated the router hides the near host's address
// behind its own (NAT).
func NewHosts(translated bool, keepalive net.KeepAliveConfig) (_ *Hosts, err error) {
	n, err := routed()
	if err != nil {
		return nil, err
	}
	h := &Hosts{net: n, Near: n.near.inum, Far: n.far.inum}
	defer func() {
		if err != nil {
			_ = h.Close()
		}
	}()
	if translated {
		if err := n.router.do(masquerade); err != nil {
			return nil, err
		}
	}
	var l net.Listener
	err = n.far.do(func() error {
		var lc net.ListenConfig
		lc.KeepAlive = -1
		l, err = lc.Listen(context.Background(), "tcp4", net.JoinHostPort(n.farAddr.String(), "0"))
		return err
	})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	err = n.near.do(func() error {
		h.near, err = (&net.Dialer{KeepAlive: -1, Timeout: callLimit}).Dial("tcp4", l.Addr().String())
		return err
	})
	if err != nil {
		return nil, err
	}
	if h.far, err = l.Accept(); err != nil {
		return nil, err
	}
	if err := h.near.(*net.TCPConn).SetKeepAliveConfig(keepalive); err != nil {
		return nil, err
	}
	local, remote := h.near.LocalAddr().(*net.TCPAddr).AddrPort(), h.near.RemoteAddr().(*net.TCPAddr).AddrPort()
	h.nearAddr = local.Addr()
	h.Connection = conn.ID{Netns: h.Near, Local: local, Remote: remote}
	return h, nil
}

// LoseOnTheWayThere has the router drop, without a word, what is for the far host.
func (h *Hosts) LoseOnTheWayThere() error { return h.lose(h.net.farAddr) }

// LoseOnTheWayBack has it drop what is for the near host.
func (h *Hosts) LoseOnTheWayBack() error { return h.lose(h.nearAddr) }

func (h *Hosts) lose(what netip.Addr) error {
	return h.net.router.do(func() error { return ignore(what) })
}

// Died waits until the near host's kernel has given the connection up.
func (h *Hosts) Died(within time.Duration) error {
	if err := h.near.SetReadDeadline(time.Now().Add(within)); err != nil {
		return err
	}
	_, err := h.near.Read(make([]byte, 1))
	if !errors.Is(err, unix.ETIMEDOUT) {
		return fmt.Errorf("the near host reads %w, want %w", err, unix.ETIMEDOUT)
	}
	return nil
}

// FarForgets takes the far host's socket away, and no segment tells of it.
func (h *Hosts) FarForgets() error {
	raw, err := h.far.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1) })
	return errors.Join(err, failed, h.far.Close())
}

// Close ends all of it.
func (h *Hosts) Close() error {
	for _, c := range []net.Conn{h.near, h.far} {
		if c != nil {
			_ = c.Close()
		}
	}
	return h.net.close()
}

// masquerade has the thread's network namespace hide what it forwards behind its
// own address: nft add rule inet lab postrouting masquerade.
func masquerade() error {
	return chainWith("postrouting", "nat", unix.NF_INET_POST_ROUTING, 100, nest(unix.NFTA_RULE_EXPRESSIONS, bare("masq")))
}

// bare is an expression without attributes.
func bare(name string) *nl.RtAttr {
	return nest(unix.NFTA_LIST_ELEM, nl.NewRtAttr(exprName, nl.ZeroTerminated(name)))
}
