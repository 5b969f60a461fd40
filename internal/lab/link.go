// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
)

// What happens to links while a connection is idle.

// linkDown switches the traced side's interface off.
func (s *stage) linkDown() error {
	return s.net.near.do(func() error { return setDown(s.net.ifname) })
}

// pullPlug takes the carrier away: the other end of the wire is switched off.
// The peer's hardware address is kept for good before: looking it up again
// would fail after three seconds, and this host would answer its own probes
// with ICMP host unreachable, just about when it gives up.
func (s *stage) pullPlug() error {
	return errors.Join(
		s.net.near.do(func() error { return keepNeighbour(s.net.ifname, s.remote.Addr()) }),
		s.net.far.do(func() error { return setDown("b0") }),
		s.net.near.do(func() error {
			return awaitInterface(s.net.ifname, "without a carrier", func(link netlink.Link, err error) bool {
				// LOWERLAYERDOWN, or DOWN where both ends happen to have one index (default_operstate).
				return err == nil && link.Attrs().OperState != netlink.OperUp
			})
		}),
	)
}

// removePeer takes the peer's whole namespace away, as when a container is
// killed, and with it the wire.
func (s *stage) removePeer() error {
	err := errors.Join(s.crash(), s.net.far.close())
	s.net.far = nil
	return errors.Join(err, s.net.near.do(func() error {
		return awaitInterface(s.net.ifname, "gone", func(_ netlink.Link, err error) bool {
			var missing netlink.LinkNotFoundError
			return errors.As(err, &missing)
		})
	}))
}

// goDark makes the peer's host drop whatever comes and goes.
func (s *stage) goDark() error {
	return s.net.far.do(func() error { return ignore(s.local.Addr()) })
}

// hideNeighbour makes the peer's host answer no ARP any more, and this host forget
// what it knew. It asks once, and waits for a tenth of a second: before the next
// probe it has failed.
func (s *stage) hideNeighbour() error {
	return errors.Join(
		s.net.far.do(func() error {
			link, err := netlink.LinkByName("b0")
			if err != nil {
				return err
			}
			return netlink.LinkSetARPOff(link)
		}),
		s.net.near.do(func() error {
			link, err := netlink.LinkByName(s.net.ifname)
			if err != nil {
				return err
			}
			return errors.Join(
				sysctl("net.ipv4.neigh."+s.net.ifname+".mcast_solicit", 1),
				sysctl("net.ipv4.neigh."+s.net.ifname+".retrans_time_ms", 100),
				netlink.NeighDel(&netlink.Neigh{LinkIndex: link.Attrs().Index, IP: s.remote.Addr().AsSlice()}),
			)
		}),
	)
}

// keepNeighbour makes the entry for addr permanent. No packet will get there:
// any hardware address will do.
func keepNeighbour(ifname string, addr netip.Addr) error {
	link, err := netlink.LinkByName(ifname)
	if err != nil {
		return fmt.Errorf("find interface %q: %w", ifname, err)
	}
	err = netlink.NeighSet(&netlink.Neigh{
		LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
		IP: addr.AsSlice(), HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 1},
	})
	if err != nil {
		return fmt.Errorf("keep the neighbour %s: %w", addr, err)
	}
	return nil
}

func setDown(name string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find interface %q: %w", name, err)
	}
	if err := netlink.LinkSetDown(link); err != nil {
		return fmt.Errorf("switch interface %q off: %w", name, err)
	}
	return nil
}

// awaitInterface waits for what the kernel does to an interface in a deferred work.
func awaitInterface(name, what string, done func(netlink.Link, error) bool) error {
	for end := time.Now().Add(callLimit); !done(netlink.LinkByName(name)); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("interface %q is not %s after %v", name, what, callLimit)
		}
	}
	return nil
}
