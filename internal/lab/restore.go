// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// turnBack makes the traced side's route to the peer lead by another interface,
// as its reverse path filter sees it. The socket itself is bound to the wire.
func (s *stage) turnBack() error {
	s.capture.deafen()
	err := s.app.control(func(fd int) error {
		return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, s.net.ifname)
	})
	if err != nil {
		return fmt.Errorf("bind the traced socket to %q: %w", s.net.ifname, err)
	}
	return s.net.near.do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return errors.Join(
			sysctl("net.ipv4.conf."+s.net.ifname+".rp_filter", 1),
			netlink.RouteAdd(&netlink.Route{LinkIndex: lo.Attrs().Index, Dst: only(s.net.farAddr), Scope: netlink.SCOPE_LINK}),
		)
	})
}

// What TCP_REPAIR needs and package unix does not have (linux/tcp.h).
const (
	repairQueue, receiveQueue, sendQueue = unix.TCP_REPAIR_QUEUE, 1, 2
	repairOffSilent                      = -1 // TCP_REPAIR_OFF_NO_WP
	rolledBackBy                         = 1000
)

// rollBack takes the traced socket away and restores it as it was rolledBackBy
// bytes ago, as CRIU does: the peer is ahead of it then.
func (s *stage) rollBack() error {
	var next [3]int // by queue
	err := errors.Join(s.app.set(unix.IPPROTO_TCP, unix.TCP_REPAIR, 1), s.app.control(func(fd int) (err error) {
		for _, queue := range []int{receiveQueue, sendQueue} {
			if err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, repairQueue, queue); err != nil {
				return err
			}
			if next[queue], err = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ); err != nil {
				return err
			}
		}
		return nil
	}), s.app.close())
	if err != nil {
		return fmt.Errorf("save the traced socket: %w", err)
	}
	err = s.net.near.do(func() (err error) {
		s.app, err = newTCP(s.local.Addr(), s.proto, "restored")
		return err
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	err = poll(ctx, "the capture", func() (bool, error) {
		return s.capture.rollBack(uint32(next[sendQueue]), rolledBackBy), nil
	})
	if err != nil {
		return err
	}
	s.capture.deafen()
	err = errors.Join(
		s.app.set(unix.IPPROTO_TCP, unix.TCP_REPAIR, 1),
		s.app.set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		s.app.control(func(fd int) error {
			for _, queue := range []int{receiveQueue, sendQueue} {
				before := int(int32(uint32(next[queue]) - rolledBackBy))
				if err := errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, repairQueue, queue),
					unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_QUEUE_SEQ, before)); err != nil {
					return err
				}
			}
			return errors.Join(unix.Bind(fd, sockaddr(s.local)), unix.Connect(fd, sockaddr(s.remote)),
				unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_REPAIR, repairOffSilent))
		}),
	)
	if err != nil {
		return fmt.Errorf("restore the traced socket: %w", err)
	}
	return errors.Join(s.identify(), s.app.setLinger(true), s.setOptions())
}
