// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"net/netip"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// decodeSocket sets what every record tells about its socket, but for its tuple.
func (c *clock) decodeSocket(r *loader.Record, e *Event) {
	e.Time = c.time(r.Time)
	e.Netns = r.Netns
	e.Inode = r.Inode
	e.TCPState = conn.TCPState(r.State)
	e.UID = r.Uid
	e.CgroupID = r.Cgroup
	e.Keepalive = conn.Settings{
		Idle:        c.span(r.Idle),
		Interval:    c.span(r.Intvl),
		Count:       int(r.Cnt),
		UserTimeout: time.Duration(r.UserTimeout) * time.Millisecond,
		Inherited:   conn.Setting(r.Inherited),
	}
	user := ""
	if r.Kind != loader.RecordDropped { // there it is another function
		user = cString(r.Symbol[:])
	}
	e.HeldBy, e.Module = KernelUser(r.Flags, user)
	e.Has = conn.HasUID | conn.HasKeepalive
	if e.TCPState != conn.TCPSynSent { // there the peer was never heard
		e.IdleFor = c.span(r.IdleFor)
		e.Has |= conn.HasIdleFor
	}
}

func decodeTuple(r *loader.Record) (conn.Family, netip.AddrPort, netip.AddrPort) {
	var family conn.Family
	var local, remote netip.Addr
	if r.Family == afInet {
		family = conn.IPv4
		local = netip.AddrFrom4([4]byte(r.Local[:4]))
		remote = netip.AddrFrom4([4]byte(r.Remote[:4]))
	} else {
		family = conn.IPv6
		local, remote = netip.AddrFrom16(r.Local), netip.AddrFrom16(r.Remote)
		if remote.Is4In6() {
			family = conn.IPv6Mapped
			local, remote = local.Unmap(), remote.Unmap()
		}
	}
	return family, netip.AddrPortFrom(local, r.LocalPort), netip.AddrPortFrom(remote, r.RemotePort)
}

// KernelUser says whether the kernel itself uses a socket, from its record's
// flags and symbol, and the module that does: "sunrpc" of "xs_data_ready [sunrpc]".
// A socket with a file is the kernel's only where a module is known: otherwise the
// file may be a process's.
func KernelUser(flags uint8, symbol string) (by conn.HeldBy, module string) {
	if flags&loader.FlagKernel == 0 {
		return 0, ""
	}
	_, rest, _ := strings.Cut(symbol, " [")
	if name, whole := strings.CutSuffix(rest, "]"); whole {
		module = name
	}
	if flags&loader.FlagFile != 0 && module == "" {
		return 0, ""
	}
	return conn.HeldByKernel, module
}

// afInet is AF_INET as struct record has it.
const afInet = unix.AF_INET

// errnoName is the errno's name, "ETIMEDOUT".
func errnoName(errno int32) string {
	if name := unix.ErrnoName(syscall.Errno(errno)); name != "" {
		return name
	}
	return "unknown"
}

// readErrno names what the application will read; "" where that is not known:
// the end of an MPTCP subflow is not the end of the application's socket.
func readErrno(errno int32) string {
	if errno == 0 {
		return ""
	}
	return errnoName(errno)
}
