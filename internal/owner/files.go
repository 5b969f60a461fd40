// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
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
	// The iterator gives pids as they are in our own pid namespace. A /proc of
	// another one (unshare --pid without --mount-proc) shows others.
	if self, err := os.Readlink("/proc/self"); err != nil || self != strconv.Itoa(os.Getpid()) {
		return nil, errors.New("/proc belongs to another pid namespace")
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
	if f.coll, err = ebpf.NewCollection(spec); err != nil {
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
// namespace, those of a process in a row, until it says false.
func (f *files) each(yield func(found) bool) error {
	file, err := f.iter.Open()
	if err != nil {
		return fmt.Errorf("open the iterator over descriptors: %w", err)
	}
	defer func() { _ = file.Close() }()
	var raw ownerOwnerFile
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw))
	// The kernel gives 32 KiB at most for each read.
	in := bufio.NewReaderSize(again{file}, 32<<10)
	for {
		switch _, err := io.ReadFull(in, bytes); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the iterator over descriptors: %w", err)
		}
		if raw.Pid != 0 && !yield(found{inode: raw.Inode, pid: int32(raw.Pid), fd: int32(raw.Fd)}) {
			return nil
		}
	}
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
