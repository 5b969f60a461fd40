// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"

	"katrace/internal/events"
	"katrace/test/vm/memory"
)

// TestAged: connections whose last data came more than 2^31 jiffies ago (24.9
// days at HZ 1000) and whose peer has answered probes since. The kernel takes
// the smaller of two unsigned elapsed times (keepalive_time_elapsed): so long
// ago is not the future.
func TestAged(t *testing.T) {
	environment(t, "aged")
	for _, by := range backends() {
		t.Run(string(by), func(t *testing.T) {
			living, deaf := newLoad(t, 1, false, 9), newLoad(t, 1, true, 9)
			for _, l := range []*load{living, deaf} {
				age(t, l)
			}
			r := launch(t, by, "--all", living.only(), deaf.only())
			r.attached()
			living.begin()
			deaf.begin()
			waitFor(t, time.Minute, "four probes of each", func() bool { return living.counted() >= 4 && deaf.counted() >= 4 })
			checkListed(t, living)
			evs := r.stop()
			checkAged(t, evs, living, false)
			checkAged(t, evs, deaf, true)
		})
	}
}

// checkAged: of a peer that answers, or does not, the events say when it was
// heard. The first event that is wrong is shown for each thing that is.
func checkAged(t *testing.T, evs []events.Event, l *load, deaf bool) {
	t.Helper()
	count := map[events.Kind]int{}
	shown := map[string]bool{}
	wrong := func(what string, e *events.Event) {
		if !shown[what] {
			t.Errorf("%s (deaf: %t): %s", what, deaf, events.AppendText(nil, e))
		}
		shown[what] = true
	}
	for i := range evs {
		e := &evs[i]
		if e.Netns != l.inum {
			continue
		}
		count[e.Kind]++
		if e.IdleFor > time.Minute {
			wrong(e.Kind.String()+": idle for weeks", e)
		}
		if e.RTT > time.Minute {
			wrong("a round trip of weeks", e)
		}
		if deaf && e.Kind == events.KindAnswer {
			wrong("an answer of a peer that is deaf", e)
		}
	}
	if count[events.KindProbe] < 4 || !deaf && count[events.KindAnswer] < 3 {
		t.Errorf("events (deaf: %t): %v, want four probes at least, and what a living peer answered", deaf, count)
	}
}

// checkListed: both ways to list say when the peer was heard.
func checkListed(t *testing.T, l *load) {
	t.Helper()
	for _, method := range []string{"bpf", "netlink"} {
		var stdout, stderr string
		var status int
		inNamespace(t, l.ns, func() error {
			stdout, stderr, status = katrace(t, "list", "-o", "json", "--method", method, "--local-port", fmt.Sprint(l.conns()[0].Local.Port()))
			return nil
		})
		var socket struct {
			IdleFor *float64 `json:"idle_for_ms"`
		}
		line, _, _ := strings.Cut(stdout, "\n")
		if err := json.Unmarshal([]byte(line), &socket); err != nil || status != 0 || socket.IdleFor == nil {
			t.Errorf("list by %s: %v, exit status %d: %s%s", method, err, status, stdout, stderr)
		} else if *socket.IdleFor > 60_000 {
			t.Errorf("list by %s: idle for %v", method, time.Duration(*socket.IdleFor)*time.Millisecond)
		}
	}
}

// age has the last data of a load's connections have come 2^31 + 5000 jiffies
// ago: icsk_ack.lrcvtime, which the kernel does not look at meanwhile.
func age(t *testing.T, l *load) {
	t.Helper()
	offset := fieldOffset(t, "inet_connection_sock", "icsk_ack", "lrcvtime")
	now, err := memory.Read(symbol(t, "jiffies"), 8)
	if err != nil {
		t.Fatal(err)
	}
	ago := binary.LittleEndian.Uint32(now) - 1<<31 - 5000
	value := binary.LittleEndian.AppendUint32(nil, ago)
	for _, c := range l.conns() {
		at := socketAddress(t, l, c.Local.Port()) + offset
		if err := memory.Write(at, value); err != nil {
			t.Fatal(err)
		}
		if got, err := memory.Read(at, 4); err != nil || !bytes.Equal(got, value) {
			t.Fatalf("lrcvtime is %x after %x was written: %v", got, value, err)
		}
	}
}

// fieldOffset is where a field of a struct's field lies, in bytes.
func fieldOffset(t *testing.T, name string, path ...string) uint64 {
	t.Helper()
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	var s *btf.Struct
	if err := spec.TypeByName(name, &s); err != nil {
		t.Fatal(err)
	}
	var bits btf.Bits
	for i, field := range path {
		found := false
		for _, m := range s.Members {
			if m.Name != field {
				continue
			}
			found = true
			bits += m.Offset
			if i < len(path)-1 {
				var ok bool
				if s, ok = btf.UnderlyingType(m.Type).(*btf.Struct); !ok {
					t.Fatalf("%s in %s is no struct", field, name)
				}
			}
			break
		}
		if !found {
			t.Fatalf("no field %s in %s", field, name)
		}
	}
	return uint64(bits / 8)
}

// symbol is a symbol's address.
func symbol(t *testing.T, name string) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == name {
			n, err := strconv.ParseUint(f[0], 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no symbol %s", name)
	return 0
}

// socketAddress is where the struct sock with this local port lies: with
// no_hash_pointers /proc/net/tcp says it (get_tcp4_sock).
func socketAddress(t *testing.T, l *load, port uint16) (address uint64) {
	t.Helper()
	inNamespace(t, l.ns, func() error {
		text, err := os.ReadFile("/proc/thread-self/net/tcp")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 11 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
				address, err = strconv.ParseUint(f[11], 16, 64)
				return err
			}
		}
		return fmt.Errorf("no socket with port %d in %s", port, text)
	})
	return address
}
