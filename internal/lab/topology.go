// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// network is where the two ends of a connection live.
type network struct {
	near, far *namespace // of the traced socket, and of its peer; maybe the same
	router    *namespace // between them, or nil
	farAddr   netip.Addr // the peer's address
	ifname    string     // the traced side's interface
	tap       *socket    // a packet socket on that interface, or nil
	gateway   netip.Addr // the router's address on the traced side, if there is one
	ownErrors bool       // ICMP errors are this host's own, and pass lo
}

func (n *network) close() (err error) {
	if n.tap != nil {
		err = n.tap.close()
		n.tap = nil
	}
	all := []*namespace{n.near, n.router}
	if n.far != n.near {
		all = append(all, n.far)
	}
	for _, ns := range all {
		if ns != nil {
			err = errors.Join(err, ns.close())
		}
	}
	return err
}

// loopback is one namespace with both ends on lo.
func loopback(farAddr netip.Addr) func() (*network, error) {
	return func() (*network, error) {
		ns, err := newNamespace()
		if err != nil {
			return nil, err
		}
		return &network{near: ns, far: ns, farAddr: farAddr, ifname: "lo"}, nil
	}
}

// proxied is one namespace that takes another host's address for its own: what
// ip route add local 198.51.100.2 dev lo does, for a transparent proxy.
func proxied() (*network, error) {
	n, err := loopback(netip.MustParseAddr("198.51.100.2"))()
	if err != nil {
		return nil, err
	}
	return n.lay(func() error {
		return n.near.do(func() error {
			lo, err := netlink.LinkByName(n.ifname)
			if err != nil {
				return err
			}
			here := &netlink.Route{Dst: only(n.farAddr), LinkIndex: lo.Attrs().Index, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}
			if err := netlink.RouteAdd(here); err != nil {
				return fmt.Errorf("take %s for this host: %w", n.farAddr, err)
			}
			return nil
		})
	})
}

// lay makes the namespaces and joins them; where that fails nothing is left.
func (n *network) lay(join func() error, namespaces ...**namespace) (_ *network, err error) {
	for _, ns := range namespaces {
		if *ns, err = newNamespace(); err != nil {
			break
		}
	}
	if err == nil {
		err = join()
	}
	if err != nil {
		n.close()
		return nil, err
	}
	return n, nil
}

// pair is two hosts on one wire: 192.0.2.1 and 192.0.2.2 (RFC 5737).
func pair() (*network, error) {
	n := &network{farAddr: netip.MustParseAddr("192.0.2.2"), ifname: "a0"}
	return n.lay(func() error {
		return plug(end{n.near, "a0", "192.0.2.1/24"}, end{n.far, "b0", "192.0.2.2/24"})
	}, &n.near, &n.far)
}

// routed is two hosts with a router between them, of addresses for examples
// (RFC 5737).
func routed() (*network, error) {
	return routedBy("192.0.2.1/24", "192.0.2.254/24", "198.51.100.254/24", "198.51.100.2/24",
		"net.ipv4.ip_forward", "net.ipv4.icmp_ratelimit")
}

// routed6 is the same over IPv6 (RFC 3849).
func routed6() (*network, error) {
	return routedBy("2001:db8:1::1/64", "2001:db8:1::fe/64", "2001:db8:2::fe/64", "2001:db8:2::2/64",
		"net.ipv6.conf.all.forwarding", "net.ipv6.icmp.ratelimit")
}

// routedBy takes the addresses from the near host to the far one, and the
// sysctls that make the router one and keep it from limiting its ICMP errors.
func routedBy(near, router, beyond, far, forwarding, ratelimit string) (*network, error) {
	gateway, gatewayBeyond := netip.MustParsePrefix(router).Addr(), netip.MustParsePrefix(beyond).Addr()
	n := &network{farAddr: netip.MustParsePrefix(far).Addr(), ifname: "a0", gateway: gateway}
	return n.lay(func() error {
		return errors.Join(
			plug(end{n.near, "a0", near}, end{n.router, "r0", router}),
			plug(end{n.router, "r1", beyond}, end{n.far, "b0", far}),
			n.router.do(func() error { return errors.Join(sysctl(forwarding, 1), sysctl(ratelimit, 0)) }),
			n.near.do(func() error { return defaultRoute(gateway) }),
			n.far.do(func() error { return defaultRoute(gatewayBeyond) }),
		)
	}, &n.near, &n.router, &n.far)
}

// end is one end of a virtual wire.
type end struct {
	ns     *namespace
	name   string
	prefix string // address and mask
}

// plug lays a virtual wire between two namespaces.
func plug(a, b end) error {
	err := a.ns.do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = a.name
		wire := &netlink.Veth{LinkAttrs: attrs, PeerName: b.name, PeerNamespace: netlink.NsFd(b.ns.file.Fd())}
		if err := netlink.LinkAdd(wire); err != nil {
			return fmt.Errorf("make a veth pair: %w%s", err, vethHint(err))
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, e := range []end{a, b} {
		err := e.ns.do(func() error {
			addr, err := netlink.ParseAddr(e.prefix)
			if err != nil {
				return err
			}
			link, err := netlink.LinkByName(e.name)
			if err != nil {
				return fmt.Errorf("find interface %q: %w", e.name, err)
			}
			addr.Flags = unix.IFA_F_NODAD // of IPv6: it can be used at once
			if err := netlink.AddrAdd(link, addr); err != nil {
				return fmt.Errorf("give interface %q the address %s: %w", e.name, e.prefix, err)
			}
			return linkUp(e.name)
		})
		if err != nil {
			return err
		}
	}
	for _, e := range []end{a, b} { // one that is not ready drops its answers to who looks for it
		if err := e.ns.do(func() error { return errors.Join(awaitLink(e.name), awaitNeighbour(e.name, e.prefix)) }); err != nil {
			return err
		}
	}
	return nil
}

// awaitNeighbour waits until an IPv6 address can be found: the kernel joins its
// solicited-node group (RFC 4291, 2.7.1) in a work of its own, which waits for the
// lock of all interfaces.
func awaitNeighbour(name, prefix string) error {
	addr := netip.MustParsePrefix(prefix).Addr()
	if !addr.Is6() {
		return nil
	}
	low := addr.As16()
	group := fmt.Sprintf("ff0200000000000000000001ff%02x%02x%02x", low[13], low[14], low[15])
	return awaitInterface(name, "in the group of "+addr.String(), func(netlink.Link, error) bool {
		joined, err := os.ReadFile("/proc/thread-self/net/igmp6")
		return err == nil && strings.Contains(string(joined), name+" ") && strings.Contains(string(joined), group)
	})
}

func vethHint(err error) string {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return " (this kernel has no veth; try modprobe veth)"
	}
	return hint(err)
}

// awaitLink waits until an interface carries packets: the kernel drops what is
// sent before.
func awaitLink(name string) error {
	return awaitInterface(name, "up", func(link netlink.Link, err error) bool {
		return err == nil && link.Attrs().OperState == netlink.OperUp
	})
}

func defaultRoute(gateway netip.Addr) error {
	all := &net.IPNet{IP: make(net.IP, gateway.BitLen()/8), Mask: net.CIDRMask(0, gateway.BitLen())}
	if err := netlink.RouteAdd(&netlink.Route{Dst: all, Gw: gateway.AsSlice()}); err != nil {
		return fmt.Errorf("add a default route by %s: %w", gateway, err)
	}
	return nil
}

// forget makes a router answer ICMP host unreachable, or ICMPv6 no route, for
// one address.
func forget(addr netip.Addr) error {
	if err := netlink.RouteAdd(&netlink.Route{Dst: only(addr), Type: unix.RTN_UNREACHABLE}); err != nil {
		return fmt.Errorf("make %s unreachable: %w", addr, err)
	}
	return nil
}

// ignore drops, without a word, whatever is from or for one address.
func ignore(addr netip.Addr) error {
	if err := netlink.RouteAdd(&netlink.Route{Dst: only(addr), Type: unix.RTN_BLACKHOLE}); err != nil {
		return fmt.Errorf("drop packets for %s: %w", addr, err)
	}
	return nil
}

func only(addr netip.Addr) *net.IPNet {
	return &net.IPNet{IP: addr.AsSlice(), Mask: net.CIDRMask(addr.BitLen(), addr.BitLen())}
}

// removeRoutes deletes the routes of the main table, those that the kernel made
// for an interface's addresses too.
func removeRoutes(ifname string) error {
	link, err := netlink.LinkByName(ifname)
	if err != nil {
		return fmt.Errorf("find interface %q: %w", ifname, err)
	}
	routes, err := netlink.RouteList(link, netlink.FAMILY_V4)
	if err != nil {
		return fmt.Errorf("list the routes by %q: %w", ifname, err)
	}
	for _, r := range routes {
		if err := netlink.RouteDel(&r); err != nil {
			return fmt.Errorf("delete the route %v: %w", r, err)
		}
	}
	return nil
}

// queueLimit gives an interface a queue with room for so many packets. With room
// for none, sending fails with NET_XMIT_DROP, which tcp_write_wakeup returns as
// 1. The limit of a queue that is there already is changed in place: while a queue
// is taken away, noop_qdisc stands in for it and swallows packets.
// (A netlink.GenericQdisc has no options, and the limit has no other way in.)
func queueLimit(ifname string, packets uint32) error {
	link, err := netlink.LinkByName(ifname)
	if err != nil {
		return fmt.Errorf("find interface %q: %w", ifname, err)
	}
	req := nl.NewNetlinkRequest(unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE|unix.NLM_F_ACK)
	req.AddData(&nl.TcMsg{Family: nl.FAMILY_ALL, Ifindex: int32(link.Attrs().Index), Parent: netlink.HANDLE_ROOT})
	req.AddData(nl.NewRtAttr(nl.TCA_KIND, nl.ZeroTerminated("pfifo")))
	req.AddData(nl.NewRtAttr(nl.TCA_OPTIONS, nl.Uint32Attr(packets))) // struct tc_fifo_qopt
	if _, err := req.Execute(unix.NETLINK_ROUTE, 0); err != nil {
		return fmt.Errorf("give interface %q a queue of %d packets: %w", ifname, packets, err)
	}
	return nil
}
