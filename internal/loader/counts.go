// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"fmt"

	"katrace/internal/conn"
)

// Counts are what the programs counted since Open (Options.Counting): of what
// records tell, the ones included that the ring had no room for. The indices are
// enum counter (bpf/count.h).
type Counts [katraceCounterCOUNTERS]uint64

// The indices of Counts. Those that stand for several say what is added to them.
const (
	CountSent             = int(katraceCounterCOUNT_SENT)
	CountCongested        = int(katraceCounterCOUNT_CONGESTED)
	CountFailed           = int(katraceCounterCOUNT_FAILED)
	CountAnswers          = int(katraceCounterCOUNT_ANSWERS)
	CountPeerProbes       = int(katraceCounterCOUNT_PEER_PROBES)
	CountSilent           = int(katraceCounterCOUNT_SILENT)
	CountUnreachable      = int(katraceCounterCOUNT_UNREACHABLE)
	CountRecovered        = int(katraceCounterCOUNT_RECOVERED)
	CountSuspended        = int(katraceCounterCOUNT_SUSPENDED)
	CountReset            = int(katraceCounterCOUNT_RESET)      // reason - 1
	CountPeerReset        = int(katraceCounterCOUNT_PEER_RESET) // RST
	CountEnded            = int(katraceCounterCOUNT_ENDED)      // 4*by + RST
	CountICMP4Unreachable = int(katraceCounterCOUNT_ICMP4UNREACHABLE)
	CountICMP4Exceeded    = int(katraceCounterCOUNT_ICMP4EXCEEDED)
	CountICMP4Other       = int(katraceCounterCOUNT_ICMP4OTHER)
	CountICMP6Unreachable = int(katraceCounterCOUNT_ICMP6UNREACHABLE) // code
	CountICMP6TooBig      = int(katraceCounterCOUNT_ICMP6TOO_BIG)
	CountICMP6Exceeded    = int(katraceCounterCOUNT_ICMP6EXCEEDED)
	CountICMP6Other       = int(katraceCounterCOUNT_ICMP6OTHER)
)

// countSlots is COUNT_SLOTS.
const countSlots = 64

// Counts reads the counters. It may be called from any goroutine.
func (t *Tracer) Counts() (sum Counts, err error) {
	var slots [countSlots]Counts
	if err := t.coll.Variables[katraceVarCounts].Get(&slots); err != nil {
		return sum, fmt.Errorf("read the counters: %w", err)
	}
	for i := range slots {
		for counter, n := range slots[i] {
			sum[counter] += n
		}
	}
	return sum, nil
}

// Verdicts are the connections with a probe so far that have not ended, by enum
// record_verdict; with Options.Counting or Options.Quiet.
func (t *Tracer) Verdicts() (verdicts [katraceRecordVerdictVERDICTS]int64, err error) {
	if err := t.coll.Variables[katraceVarVerdicts].Get(&verdicts); err != nil {
		return verdicts, fmt.Errorf("count connections by verdict: %w", err)
	}
	return verdicts, nil
}

// FiltersAll says whether the programs test all of the filter: they have room for
// some values of each kind.
func FiltersAll(f *conn.SocketFilter) bool {
	var k katraceFilter
	return len(f.Netns) <= len(k.Netns) && len(f.Ports) <= len(k.Port) && len(f.LocalPorts) <= len(k.LocalPort) &&
		len(f.RemotePorts) <= len(k.RemotePort) && len(f.Prefixes) <= len(k.Prefix)
}
