// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"testing"

	"katrace/test/enumtest"
)

func TestNames(t *testing.T) {
	enumtest.RoundTrip(t, familyNames, IPv6Mapped, ParseFamily)
	enumtest.RoundTrip(t, tcpStateNames, TCPBoundInactive, ParseTCPState)
	enumtest.RoundTrip(t, heldByNames, HeldByKernel, ParseHeldBy)
	enumtest.RoundTrip(t, waitingNames, WaitsNothing, ParseWaiting)
}

// TestTCPStates: the numbers are the kernel's (include/net/tcp_states.h).
func TestTCPStates(t *testing.T) {
	for state, number := range map[TCPState]int{
		TCPEstablished: 1, TCPSynSent: 2, TCPSynRecv: 3, TCPFinWait1: 4, TCPFinWait2: 5, TCPTimeWait: 6, TCPClose: 7,
		TCPCloseWait: 8, TCPLastAck: 9, TCPListen: 10, TCPClosing: 11, TCPNewSynRecv: 12, TCPBoundInactive: 13,
	} {
		if int(state) != number {
			t.Errorf("%s is %d, not %d", state, state, number)
		}
	}
}
