// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"time"
	"unsafe"
)

// Record is one record as the programs write it (bpf/record.h).
type Record struct {
	katraceRecord
	// Symbol names the kernel function that a socket of the kernel's tells of
	// data, "xs_data_ready [sunrpc]"; with FlagKernel.
	Symbol [64]uint8
}

// A Record is laid out as struct kernel_record.
var _ [unsafe.Sizeof(Record{})]byte = [unsafe.Sizeof(katraceKernelRecord{})]byte{}

// The kinds of Record.
const (
	RecordProbe       = uint8(katraceRecordKindRECORD_PROBE)
	RecordAnswer      = uint8(katraceRecordKindRECORD_ANSWER)
	RecordReset       = uint8(katraceRecordKindRECORD_RESET)
	RecordPeerReset   = uint8(katraceRecordKindRECORD_PEER_RESET)
	RecordSuspended   = uint8(katraceRecordKindRECORD_SUSPENDED)
	RecordResumed     = uint8(katraceRecordKindRECORD_RESUMED)
	RecordEnded       = uint8(katraceRecordKindRECORD_ENDED)
	RecordClosed      = uint8(katraceRecordKindRECORD_CLOSED)
	RecordTimer       = uint8(katraceRecordKindRECORD_TIMER)
	RecordWindowProbe = uint8(katraceRecordKindRECORD_WINDOW_PROBE)
	RecordICMP        = uint8(katraceRecordKindRECORD_ICMP)
	RecordProbed      = uint8(katraceRecordKindRECORD_PROBED)
	RecordEnabled     = uint8(katraceRecordKindRECORD_ENABLED)
	RecordDropped     = uint8(katraceRecordKindRECORD_DROPPED)
	RecordUntold      = uint8(katraceRecordKindRECORD_UNTOLD)
)

// The flags of Record.Flags.
const (
	FlagAnswered = uint8(katraceRecordFlagFLAG_ANSWERED)
	FlagRTT      = uint8(katraceRecordFlagFLAG_RTT)
	FlagRet      = uint8(katraceRecordFlagFLAG_RET)
	FlagGaveUp   = uint8(katraceRecordFlagFLAG_GAVE_UP)
	FlagRTTExact = uint8(katraceRecordFlagFLAG_RTT_EXACT)
	FlagKernel   = uint8(katraceRecordFlagFLAG_KERNEL)
	FlagFile     = uint8(katraceRecordFlagFLAG_FILE)
	FlagFollowed = uint8(katraceRecordFlagFLAG_FOLLOWED)
)

// The bits of Record.Reason on RecordUntold, which holds the story of a connection as
// records that were not made would have told it (Options.Quiet).
const (
	StoryHeard       = uint8(katraceStoryBitSTORY_HEARD)
	StoryWhole       = uint8(katraceStoryBitSTORY_WHOLE)
	StoryWrapped     = uint8(katraceStoryBitSTORY_WRAPPED)
	StorySilent      = uint8(katraceStoryBitSTORY_SILENT)
	StoryUnreachable = uint8(katraceStoryBitSTORY_UNREACHABLE)
)

// ErrFlushed is returned by Read when it has given all there was after Wake or Stop.
var ErrFlushed = errors.New("the ring buffer was flushed")

// rest is how long Read lets records gather when they come faster than that.
// To wait for each alone would cost an interrupt and a switch to this process
// a record; 1,000,000 records a second fill a twentieth of the ring meanwhile.
const rest = 5 * time.Millisecond

// Read waits for the next record. It returns os.ErrDeadlineExceeded when the
// deadline passes first, ErrFlushed after Wake and Stop. A record that comes
// after a pause is returned at once, others up to rest later, many at a time.
func (t *Tracer) Read(r *Record) error {
	if !t.Pending() {
		if now := time.Now(); now.Sub(t.drained) < rest {
			time.Sleep(t.drained.Add(rest).Sub(now))
		}
		t.drained = time.Now()
	}
	return t.ring.next(func(raw []byte) error { return decode(raw, r) })
}

// The lengths of a record: most kinds end before the field From, and a whole
// katraceKernelRecord is about a socket of the kernel's.
const (
	recordSize = int(unsafe.Sizeof(Record{}))
	shortSize  = int(unsafe.Offsetof(katraceRecord{}.From))
	longSize   = int(unsafe.Sizeof(katraceRecord{}))
)

func decode(raw []byte, r *Record) error {
	if n := len(raw); n != shortSize && n != longSize && n != recordSize {
		return fmt.Errorf("read the ring buffer: record of %d bytes, want %d, %d or %d", n, shortSize, longSize, recordSize)
	}
	clear((*[recordSize]byte)(unsafe.Pointer(r))[copy((*[recordSize]byte)(unsafe.Pointer(r))[:], raw):])
	return nil
}

// SetDeadline makes a waiting Read return at that time.
func (t *Tracer) SetDeadline(at time.Time) { t.ring.setDeadline(at) }

// Pending says whether more records are waiting, that is whether the next Read
// will return at once.
func (t *Tracer) Pending() bool { return t.ring.pending() }
