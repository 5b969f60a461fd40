// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/jiffies"
	"katrace/internal/loader"
)

// iterator is the loaded BPF iterator over TCP sockets (bpf/inventory.bpf.c).
type iterator struct {
	coll *ebpf.Collection
	iter *link.Iter
	hz   jiffies.HZ
}

// openIterator loads and attaches it. It changes nothing in the kernel: it runs
// only while it is read. Kernels 5.9 and later with BTF have it; it needs
// CAP_BPF and CAP_PERFMON.
func openIterator(btfFile string) (_ *iterator, err error) {
	it := &iterator{}
	defer func() {
		if err != nil {
			it.close()
		}
	}()
	if it.hz, err = jiffies.Read(); err != nil {
		return nil, err
	}
	// Kernels before 5.11 charge programs to RLIMIT_MEMLOCK. Without the right
	// to raise it, loading says so.
	_ = rlimit.RemoveMemlock()
	spec, err := loadInventory()
	if err != nil {
		return nil, fmt.Errorf("read the embedded BPF object: %w", err)
	}
	var types *btf.Spec
	if btfFile != "" {
		if types, err = loader.TypesFrom(btfFile); err != nil {
			return nil, err
		}
	}
	loader.WithoutCasts(spec) // it reads by calls
	if err := spec.Variables["hz"].Set(uint32(it.hz)); err != nil {
		return nil, fmt.Errorf("set the kernel's tick length: %w", err)
	}
	it.coll, err = ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Programs: ebpf.ProgramOptions{KernelTypes: types}, Cache: loader.KernelBTF()})
	if err != nil {
		return nil, unsupported("load the socket iterator", err)
	}
	it.iter, err = link.AttachIter(link.IterOptions{Program: it.coll.Programs["list_tcp"]})
	if err != nil {
		return nil, unsupported("attach the socket iterator", err)
	}
	return it, nil
}

func unsupported(doing string, err error) error {
	e := &loader.UnsupportedError{Doing: doing, Err: err}
	if errors.Is(err, os.ErrPermission) {
		e.Hint = "needs CAP_BPF and CAP_PERFMON; a kernel in lockdown refuses even root"
	}
	return e
}

func (it *iterator) close() {
	if it.iter != nil {
		_ = it.iter.Close()
	}
	if it.coll != nil {
		it.coll.Close()
	}
}

// sockets calls each for every TCP socket of the calling thread's network
// namespace in the wanted states. The Socket is used again after the call.
func (it *iterator) sockets(ctx context.Context, states uint32, each func(*Socket)) error {
	file, err := it.iter.Open()
	if err != nil {
		return fmt.Errorf("open the socket iterator: %w", err)
	}
	defer func() { _ = file.Close() }()
	var raw inventoryInventorySocket
	var user inventoryInventoryUser
	var s Socket
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw))
	in := bufio.NewReaderSize(file, 64<<10)
	for n := 0; ; n++ {
		switch _, err := io.ReadFull(in, bytes); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the socket iterator: %w", err)
		}
		kernel := raw.Rec.Flags&loader.FlagKernel != 0
		if kernel {
			if _, err := io.ReadFull(in, user.Symbol[:]); err != nil {
				return fmt.Errorf("read the socket iterator: %w", err)
			}
		}
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if states>>raw.Rec.State&1 == 0 {
			continue
		}
		it.decode(&raw, &s)
		if kernel {
			s.HeldBy, s.Module = events.KernelUser(raw.Rec.Flags, unix.ByteSliceToString(user.Symbol[:]))
		}
		each(&s)
	}
}

func (it *iterator) decode(raw *inventoryInventorySocket, s *Socket) {
	r := &raw.Rec
	*s = Socket{State: conn.State{TCPState: conn.TCPState(r.State), Netns: r.Netns}, id: r.Sk, fd: -1}
	local, remote := netip.AddrFrom16(r.Local), netip.AddrFrom16(r.Remote)
	switch {
	case r.Family == unix.AF_INET:
		s.Family = conn.IPv4
		local, remote = netip.AddrFrom4([4]byte(r.Local[:4])), netip.AddrFrom4([4]byte(r.Remote[:4]))
	case local.Is4In6() || remote.Is4In6():
		s.Family = conn.IPv6Mapped
		local, remote = local.Unmap(), remote.Unmap()
	default:
		s.Family = conn.IPv6
	}
	s.Local, s.Remote = netip.AddrPortFrom(local, r.LocalPort), netip.AddrPortFrom(remote, r.RemotePort)
	has := func(f inventoryInventoryFlag) bool { return raw.Flags&uint32(f) != 0 }
	switch {
	case has(inventoryInventoryFlagINVENTORY_RETRANS):
		s.WaitsFor = conn.WaitsRetransmission
	case has(inventoryInventoryFlagINVENTORY_WINDOW):
		s.WaitsFor = conn.WaitsWindowProbe
	case has(inventoryInventoryFlagINVENTORY_ORPHAN):
		s.WaitsFor = conn.WaitsFinWait2
	case has(inventoryInventoryFlagINVENTORY_TIMER):
		s.WaitsFor = conn.WaitsProbe
	default:
		s.WaitsFor = conn.WaitsNothing
	}
	if !has(inventoryInventoryFlagINVENTORY_WHOLE) {
		return
	}
	s.Inode, s.UID, s.CgroupID = r.Inode, r.Uid, r.Cgroup
	if has(inventoryInventoryFlagINVENTORY_QUEUED) {
		s.HeldBy = conn.HeldByAcceptQueue
	}
	s.On = has(inventoryInventoryFlagINVENTORY_ON)
	s.Keepalive = conn.Settings{
		Idle: it.hz.Span(r.Idle), Interval: it.hz.Span(r.Intvl), Count: int(r.Cnt),
		UserTimeout: time.Duration(r.UserTimeout) * time.Millisecond,
		Inherited:   conn.Setting(r.Inherited),
	}
	s.Has = conn.HasUID | HasOn | conn.HasKeepalive
	s.unsent = has(inventoryInventoryFlagINVENTORY_UNSENT)
	if s.Connected() {
		s.ProbesOut, s.IdleFor = int(r.Probes), it.hz.Span(r.IdleFor)
		s.Has |= HasProbesOut | conn.HasIdleFor
	}
	if r.Waits != 0 {
		it.stalled(r, s)
	}
	if has(inventoryInventoryFlagINVENTORY_TIMER) {
		s.expires = it.hz.Span(raw.Timer)
		s.Has |= hasTimer
	}
}

// stalled sets what there is of a connection in which keepalive has no say.
func (it *iterator) stalled(r *inventoryRecord, s *Socket) {
	s.WaitsFor, s.Data = conn.Waiting(r.Waits), conn.Data{Retransmits: int(r.Retransmits), Unacked: r.Unacked}
	s.Has |= conn.HasUnacked
	s.stall = &conn.Stall{
		WaitsFor: s.WaitsFor, HZ: it.hz, Retries2: int(r.Retries2), UserTimeout: s.Keepalive.UserTimeout,
		Since: time.Duration(r.Since) * time.Millisecond, Now: r.Now, Expires: r.Expires, Level: r.Level, RTO: r.Rto, RTOMax: r.RtoMax,
	}
}
