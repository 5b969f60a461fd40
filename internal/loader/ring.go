// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ring reads a BPF ring buffer (kernel/bpf/ringbuf.c). The library's reader maps all
// of it twice, so that no record is in two parts, and all that is mapped is
// resident: 32 MiB for 16. A record fits into a page, so a page more is enough.
type ring struct {
	file  *os.File
	conn  syscall.RawConn
	ready func(uintptr) bool
	woken atomic.Bool

	consumer, producer []byte  // the mappings
	read, written      *uint64 // positions, in bytes since the beginning
	data               []byte  // the records, and the first page of them again
	mask               uint64

	// The programs write beside those two positions all the time, on other processors:
	// each is looked at, and told, once for many records.
	at    uint64 // how far records are read
	end   uint64 // how far there were some when it was last looked
	freed uint64 // how far the kernel knows that they are read
}

// freeParts: what has been read is given back when it is such a part of the ring, or
// all that there was.
const freeParts = 16

// Of a record's header (struct bpf_ringbuf_hdr), which is 8 bytes long.
const (
	ringHeader    = 8
	ringBusy      = 1 << 31 // BPF_RINGBUF_BUSY_BIT: it is being written
	ringDiscarded = 1 << 30 // BPF_RINGBUF_DISCARD_BIT
)

func openRing(m *ebpf.Map) (_ *ring, err error) {
	r := &ring{mask: uint64(m.MaxEntries()) - 1}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	fd, err := unix.FcntlInt(uintptr(m.FD()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = unix.SetNonblock(fd, true) // else the runtime does not wait for it
	r.file = os.NewFile(uintptr(fd), "ring buffer")
	if err != nil {
		return nil, err
	}
	if r.conn, err = r.file.SyscallConn(); err != nil {
		return nil, err
	}
	page := os.Getpagesize()
	if r.consumer, err = unix.Mmap(fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, err
	}
	if r.producer, err = unix.Mmap(fd, int64(page), page+int(m.MaxEntries())+page, unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, err
	}
	r.read, r.written = (*uint64)(unsafe.Pointer(&r.consumer[0])), (*uint64)(unsafe.Pointer(&r.producer[0]))
	r.data = r.producer[page:]
	r.at = atomic.LoadUint64(r.read)
	r.end, r.freed = r.at, r.at
	r.ready = func(uintptr) bool { return r.pending() }
	return r, nil
}

func (r *ring) close() {
	if r.file != nil {
		_ = r.file.Close()
	}
	for _, m := range [...][]byte{r.consumer, r.producer} {
		if m != nil {
			_ = unix.Munmap(m)
		}
	}
}

// pending says whether there is anything that was not read.
func (r *ring) pending() bool {
	if r.at == r.end {
		r.end = atomic.LoadUint64(r.written)
	}
	return r.at != r.end
}

// pass goes on behind a record. The kernel wakes who waits if it writes a record where
// all before are read (bpf_ringbuf_commit), so it knows that before pending looks again.
func (r *ring) pass(after uint64) {
	if r.at = after; r.at == r.end || r.at-r.freed > r.mask/freeParts {
		r.freed = r.at
		atomic.StoreUint64(r.read, r.at)
	}
}

// setDeadline makes a waiting next return at that time; the zero time: never.
func (r *ring) setDeadline(at time.Time) {
	_ = r.file.SetReadDeadline(at)
	if r.woken.Load() {
		_ = r.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// wake makes next return all there is and then ErrFlushed. It may be called by any
// goroutine; that one sets a deadline of its own afterwards.
func (r *ring) wake() {
	r.woken.Store(true)
	_ = r.file.SetReadDeadline(time.Unix(1, 0))
}

// next waits for a record and hands it to take, whose memory it is for the time of
// the call. The errors are those of Tracer.Read.
func (r *ring) next(take func(raw []byte) error) error {
	for {
		for r.pending() {
			at := r.at
			// The kernel clears the bit once the record is whole (bpf_ringbuf_commit).
			head := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[at&r.mask])))
			if head&ringBusy != 0 {
				runtime.Gosched()
				continue
			}
			n := uint64(head &^ ringDiscarded)
			after := at + ringHeader + (n+7)&^7
			if head&ringDiscarded != 0 {
				r.pass(after)
				continue
			}
			begin := at&r.mask + ringHeader
			err := take(r.data[begin : begin+n : begin+n])
			r.pass(after)
			return err
		}
		if r.woken.Swap(false) {
			return ErrFlushed
		}
		switch err := r.conn.Read(r.ready); {
		case err == nil, r.pending(), r.woken.Load():
		case errors.Is(err, os.ErrDeadlineExceeded):
			return os.ErrDeadlineExceeded
		default:
			return fmt.Errorf("wait for the ring buffer: %w", err)
		}
	}
}
