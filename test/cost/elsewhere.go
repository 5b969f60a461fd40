// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
)

// The connections' addresses, both on lo.
var clients, servers = [4]byte{10, 9, 9, 1}, [4]byte{10, 9, 9, 2}

// elsewhere takes the servers away: their address leaves lo, and then its way is
// a device behind which nobody is. That is how a peer is silent that is on
// another host. A segment that this host itself drops is a drop to report as well.
type elsewhere struct {
	lo     netlink.Link
	server *netlink.Addr
	silent bool // the server's address is away
}

func address(a [4]byte) *netlink.Addr {
	return &netlink.Addr{IPNet: netlink.NewIPNet(a[:])}
}

func openElsewhere() (*elsewhere, error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, fmt.Errorf("find lo: %w", err)
	}
	// Both take every segment as sent, and free it. Not every kernel has the first.
	attrs := netlink.LinkAttrs{Name: "elsewhere"}
	if err := netlink.LinkAdd(&netlink.Dummy{LinkAttrs: attrs}); err != nil {
		if ifb := netlink.LinkAdd(&netlink.Ifb{LinkAttrs: attrs}); ifb != nil {
			return nil, fmt.Errorf("make a device: dummy: %w; ifb: %w", err, ifb)
		}
	}
	link, err := netlink.LinkByName(attrs.Name)
	if err != nil {
		return nil, fmt.Errorf("find the device: %w", err)
	}
	e := &elsewhere{lo: lo, server: address(servers)}
	err = errors.Join(
		netlink.LinkSetUp(link),
		netlink.AddrAdd(lo, address(clients)),
		netlink.AddrAdd(lo, e.server),
		netlink.RouteAdd(&netlink.Route{LinkIndex: link.Attrs().Index, Dst: e.server.IPNet, Scope: netlink.SCOPE_LINK}),
	)
	return e, err
}

// silence makes no peer hear anything more, or all hear again.
func (e *elsewhere) silence(on bool) error {
	if e.silent == on {
		return nil
	}
	change := netlink.AddrAdd
	if on {
		change = netlink.AddrDel
	}
	if err := change(e.lo, e.server); err != nil {
		return fmt.Errorf("silence the peers: %w", err)
	}
	e.silent = on
	return nil
}
