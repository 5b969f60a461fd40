// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

// TestOnce: a dump may show a socket twice, which moves in the kernel's table
// meanwhile. The list names it once; others are others.
func TestOnce(t *testing.T) {
	byBPF := func(sk uint64, state uint8, remotePort uint16) func(*Socket) {
		return func(s *Socket) {
			var raw inventoryInventorySocket
			raw.Rec.Sk, raw.Rec.Family, raw.Rec.State, raw.Rec.RemotePort = sk, unix.AF_INET, state, remotePort
			(&iterator{}).decode(&raw, s)
		}
	}
	byNetlink := func(cookie uint64, state uint8, remotePort uint16) func(*Socket) {
		return func(s *Socket) {
			body := diagBody(unix.AF_INET, state, timerNone, 0)
			binary.BigEndian.PutUint16(body[6:], remotePort)
			native.PutUint64(body[44:], cookie)
			parseDiag(body, s)
		}
	}
	for method, record := range map[Method]func(uint64, uint8, uint16) func(*Socket){BPF: byBPF, Netlink: byNetlink} {
		var all []Socket
		for _, read := range []func(*Socket){
			record(1, 1, 80), record(2, 1, 81), record(1, 1, 80), // once more
			record(3, 10, 0), record(4, 10, 0), // SO_REUSEPORT
			record(2, 6, 81),                   // the same in another state
			record(1, 1, 82), record(1, 1, 82), // a new one at the old one's address, and once more
		} {
			var s Socket
			read(&s)
			all = append(all, s)
		}
		var got []string
		for _, s := range once(all) {
			got = append(got, fmt.Sprintf("%d %d", s.TCPState, s.Remote.Port()))
		}
		if diff := cmp.Diff([]string{"1 80", "1 81", "10 0", "10 0", "1 82"}, got); diff != "" {
			t.Errorf("%s: want (-), got (+):\n%s", method, diff)
		}
	}
}
