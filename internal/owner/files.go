// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/loader"
)

// files is the BPF iterator over the descriptors of all processes
// (bpf/owner.bpf.c): it tells a socket's holders three times as fast as reading
// /proc/*/fd does (BenchmarkScan). It runs only while it is read. Kernels 5.8 and later
// with BTF have it.
type files struct {
	coll *ebpf.Collection
	iter *link.Iter
}

// openFiles loads it, which needs CAP_BPF and CAP_PERFMON. Reading needs CAP_BPF
// only before 5.19, where the whole of bpf(2) does.
func openFiles() (_ *files, err error) {
	if !ownProc() {
		return nil, errors.New("/proc belongs to another pid namespace, and the iterator gives pids of ours")
	}
	f := &files{}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	// Kernels before 5.11 charge programs to RLIMIT_MEMLOCK. Without the right
	// to raise it, loading says so.
	_ = rlimit.RemoveMemlock()
	spec, err := loadOwner()
	if err != nil {
		return nil, fmt.Errorf("read the embedded BPF object: %w", err)
	}
	if f.coll, err = ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{Cache: loader.KernelBTF()}); err != nil {
		return nil, fmt.Errorf("load the iterator over descriptors: %w", err)
	}
	if f.iter, err = link.AttachIter(link.IterOptions{Program: f.coll.Programs["list_files"]}); err != nil {
		return nil, fmt.Errorf("attach the iterator over descriptors: %w", err)
	}
	return f, nil
}

func (f *files) close() {
	if f.iter != nil {
		_ = f.iter.Close()
	}
	if f.coll != nil {
		f.coll.Close()
	}
}

// each calls yield for every descriptor that refers to a TCP socket or to a
// namespace, and for every socket that an io_uring holds, those of a thread in a
// row, until it says false.
func (f *files) each(yield func(found) bool) error {
	file, err := f.iter.Open()
	if err != nil {
		return fmt.Errorf("open the iterator over descriptors: %w", err)
	}
	defer func() { _ = file.Close() }()
	var raw ownerOwnerFile
	var listener ownerOwnerListener
	// The kernel gives 32 KiB at most for each read.
	in := bufio.NewReaderSize(again{file}, 32<<10)
	for more := true; more; {
		switch _, err := io.ReadFull(in, bytesOf(&raw)); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the iterator over descriptors: %w", err)
		}
		at := found{inode: raw.Inode, pid: int32(raw.Pid), task: int32(raw.Task), fd: int32(raw.Fd)}
		if raw.Apart != 0 {
			at.by = conn.HeldByThread
		}
		switch ownerOwnerKind(raw.Kind) {
		case ownerOwnerKindOWNER_IO_URING:
			more = eachDirect(at, yield)
			continue
		case ownerOwnerKindOWNER_LISTENER:
			if _, err := io.ReadFull(in, bytesOf(&listener)); err != nil {
				return fmt.Errorf("read the iterator over descriptors: %w", err)
			}
			at.listens = listener.decode(raw.Inode)
		default: // found has all there is to it
		}
		more = yield(at)
	}
	return nil
}

func bytesOf[T any](v *T) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(v)), unsafe.Sizeof(*v)) }

func (l *ownerOwnerListener) decode(inode uint64) *Listening {
	addr := netip.AddrFrom16(l.Local)
	if l.Family == unix.AF_INET {
		addr = netip.AddrFrom4([4]byte(l.Local[:4]))
	}
	return &Listening{Netns: l.Netns, Local: netip.AddrPortFrom(addr, l.Port), IPv6: l.Family == unix.AF_INET6, Inode: inode}
}

// again reads once more where the kernel asks for it: after a million
// descriptors without one to tell of, bpf_seq_read() gives EAGAIN.
type again struct{ io.Reader }

func (a again) Read(p []byte) (int, error) {
	for {
		n, err := a.Reader.Read(p)
		if n > 0 || !errors.Is(err, unix.EAGAIN) {
			return n, err
		}
	}
}
