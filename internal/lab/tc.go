// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tcDrop makes an interface drop whatever passes at that place (HANDLE_MIN_EGRESS,
// HANDLE_MIN_INGRESS): what tc qdisc add dev IFNAME clsact; tc filter add dev
// IFNAME egress matchall action drop does.
func tcDrop(ifname string, place uint32) error {
	link, err := netlink.LinkByName(ifname)
	if err != nil {
		return fmt.Errorf("find interface %q: %w", ifname, err)
	}
	if err := netlink.QdiscAdd(clsact(link)); err != nil {
		return fmt.Errorf("give interface %q a clsact queue: %w", ifname, err)
	}
	if err := netlink.FilterAdd(matchAll(link, place)); err != nil {
		return fmt.Errorf("drop what passes interface %q: %w", ifname, err)
	}
	return nil
}

// matchAll is a filter that drops everything.
func matchAll(link netlink.Link, place uint32) *netlink.MatchAll {
	drop := &netlink.GenericAction{ActionAttrs: netlink.ActionAttrs{Action: netlink.TC_ACT_SHOT}}
	return &netlink.MatchAll{
		FilterAttrs: netlink.FilterAttrs{LinkIndex: link.Attrs().Index, Parent: place, Priority: 1, Protocol: unix.ETH_P_ALL},
		Actions:     []netlink.Action{drop},
	}
}

func clsact(link netlink.Link) *netlink.Clsact {
	return &netlink.Clsact{QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
	}}
}

// tcIngress drops what comes to the traced side, tcEgress what leaves it.
func (s *stage) tcIngress() error {
	s.capture.deafen()
	return s.tcDrop(netlink.HANDLE_MIN_INGRESS)
}

func (s *stage) tcEgress() error { return s.tcDrop(netlink.HANDLE_MIN_EGRESS) }

func (s *stage) tcDrop(place uint32) error {
	return s.net.near.do(func() error { return tcDrop(s.net.ifname, place) })
}

// tcOff undoes tcEgress. The queue stays: while the kernel takes a clsact away it
// deactivates the interface (qdisc_graft), and noop_qdisc swallows packets.
func (s *stage) tcOff() error {
	return s.net.near.do(func() error {
		link, err := netlink.LinkByName(s.net.ifname)
		if err != nil {
			return fmt.Errorf("find interface %q: %w", s.net.ifname, err)
		}
		return netlink.FilterDel(matchAll(link, netlink.HANDLE_MIN_EGRESS))
	})
}

// needTC says what this kernel's tc lacks.
func needTC() error {
	ns, err := newNamespace()
	if err != nil {
		return err
	}
	defer ns.close()
	err = ns.do(func() error { return tcDrop("lo", netlink.HANDLE_MIN_EGRESS) })
	for _, missing := range []unix.Errno{unix.EOPNOTSUPP, unix.ENOENT} {
		if errors.Is(err, missing) {
			return fmt.Errorf("no tc with clsact, matchall and drop (%w): %w", err, ErrLacking)
		}
	}
	return err
}
