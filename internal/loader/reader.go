// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"
)

// Record is one record as the programs write it (bpf/record.h).
type Record = katraceRecord

// The kinds of Record.
const (
	RecordProbe       = uint8(katraceRecordKindRECORD_PROBE)
	RecordAnswer      = uint8(katraceRecordKindRECORD_ANSWER)
	RecordReset       = uint8(katraceRecordKindRECORD_RESET)
	RecordPeerReset   = uint8(katraceRecordKindRECORD_PEER_RESET)
	RecordClosed      = uint8(katraceRecordKindRECORD_CLOSED)
	RecordTimer       = uint8(katraceRecordKindRECORD_TIMER)
	RecordWindowProbe = uint8(katraceRecordKindRECORD_WINDOW_PROBE)
)

// The flags of Record.Flags.
const (
	FlagAnswered = uint8(katraceRecordFlagFLAG_ANSWERED)
	FlagRTT      = uint8(katraceRecordFlagFLAG_RTT)
	FlagRet      = uint8(katraceRecordFlagFLAG_RET)
	FlagGaveUp   = uint8(katraceRecordFlagFLAG_GAVE_UP)
)

// ErrFlushed is returned by Read when it has given all there was after Wake or Stop.
var ErrFlushed = ringbuf.ErrFlushed

// Read waits for the next record. It returns os.ErrDeadlineExceeded when the
// deadline passes first, ErrFlushed after Wake and Stop.
func (t *Tracer) Read(r *Record) error {
	if err := t.ring.ReadInto(&t.raw); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, ringbuf.ErrFlushed) {
			return err
		}
		return fmt.Errorf("read the ring buffer: %w", err)
	}
	if n := len(t.raw.RawSample); n != int(unsafe.Sizeof(*r)) {
		return fmt.Errorf("read the ring buffer: record of %d bytes, want %d", n, unsafe.Sizeof(*r))
	}
	*r = *(*Record)(unsafe.Pointer(&t.raw.RawSample[0]))
	return nil
}

// SetDeadline makes a waiting Read return at that time.
func (t *Tracer) SetDeadline(at time.Time) { t.ring.SetDeadline(at) }

// Pending says whether more records are waiting, that is whether the next Read
// will return at once.
func (t *Tracer) Pending() bool { return t.ring.AvailableBytes() > 0 }
