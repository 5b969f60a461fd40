// SPDX-License-Identifier: BSD-2-Clause

package jiffies

import (
	"math"
	"math/big"
	"testing"
	"time"
)

// TestOf: the rate from the length of a tick as the kernel rounds it,
// TICK_NSEC = (NSEC_PER_SEC + HZ/2) / HZ.
func TestOf(t *testing.T) {
	for _, tt := range []struct {
		tick time.Duration
		want HZ
	}{{10_000_000, 100}, {4_000_000, 250}, {3_333_333, 300}, {1_000_000, 1000}, {9_765_625, 102}, {833_333, 1200}, {1, 1_000_000_000}, {0, 0}, {-1, 0}, {math.MaxInt64, 1}} {
		if got := Of(tt.tick); got != tt.want {
			t.Errorf("a tick of %d ns: HZ %d, want %d", tt.tick, got, tt.want)
		}
	}
	for _, hz := range []HZ{100, 250, 300, 1000} {
		if got := Of(hz.Tick()); got != hz {
			t.Errorf("HZ %d has a tick of %s, which is HZ %d", hz, hz.Tick(), got)
		}
	}
}

// TestRead: the running kernel has a rate there is.
func TestRead(t *testing.T) {
	got, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	for _, hz := range rates {
		if got == hz {
			return
		}
	}
	t.Errorf("HZ %d, want one of %d", got, rates)
}

// TestSpan: seconds that the kernel holds as jiffies are those seconds again,
// and over all 32 bits a span is the exact one, cut to a nanosecond.
func TestSpan(t *testing.T) {
	for _, hz := range rates {
		for _, s := range []uint32{1, 60, 75, 7200, 32767, math.MaxUint32 / 1000} {
			if got, want := hz.Span(s*uint32(hz)), time.Duration(s)*time.Second; got != want {
				t.Errorf("HZ %d: %d s are %s", hz, s, got)
			}
		}
		for _, n := range []uint32{0, 1, 2, 3, uint32(hz) - 1, uint32(hz) + 1, 1<<31 - 1, 1 << 31, math.MaxUint32 - 1, math.MaxUint32} {
			exact := new(big.Int).Mul(big.NewInt(int64(n)), big.NewInt(1e9))
			exact.Div(exact, big.NewInt(int64(hz)))
			if got := hz.Span(n); !exact.IsInt64() || int64(got) != exact.Int64() {
				t.Errorf("HZ %d: %d jiffies are %d ns, want %s", hz, n, got, exact)
			}
		}
	}
	if got := HZ(0).Span(1); got != 0 {
		t.Errorf("of an unknown rate: %s", got)
	}
}

// TestSlack holds the rule against the tables in kernel/time/timer.c.
func TestSlack(t *testing.T) {
	const ms = time.Millisecond
	for _, tt := range []struct {
		hz      HZ
		d, want time.Duration
	}{
		{250, 0, 4 * ms},
		{250, 248 * ms, 4 * ms},
		{250, 252 * ms, 32 * ms},
		{250, time.Second, 32 * ms},
		{250, 2012 * ms, 32 * ms},
		{250, 2016 * ms, 256 * ms},
		{250, time.Minute, 2048 * ms},
		{250, 2 * time.Hour, 131072 * ms},
		{100, 2 * time.Hour, 327680 * ms},
		{300, 2 * time.Hour, 873813333333},
		{1000, 2 * time.Hour, 262144 * ms},
		{1000, 62 * ms, ms},
		{1000, 63 * ms, 8 * ms},
		{1000, -ms, ms},
		{1000, math.MaxInt64, 1 << 24 * ms},
		// Not known: the most of the four.
		{0, 2 * time.Hour, 873813333333},
		{0, 0, 10 * ms},
	} {
		if got := tt.hz.Slack(tt.d); got != tt.want {
			t.Errorf("HZ %d, %s: %s, want %s", tt.hz, tt.d, got, tt.want)
		}
	}
}

// TestSlackIsAnEighth: later than a timer by no more than an eighth of its
// time, and some, or a tick.
func TestSlackIsAnEighth(t *testing.T) {
	for _, hz := range append(rates[:], 0) {
		for d := time.Millisecond; d < 200*24*time.Hour; d += d/97 + 1 {
			got := hz.Slack(d)
			if got > max(hz.Tick(), (d+hz.Tick())*8/63+1) {
				t.Fatalf("HZ %d, %s: %s", hz, d, got)
			}
			if hz != 0 && HZ(0).Slack(d) < got {
				t.Fatalf("%s: %s where the rate is not known, %s at HZ %d", d, HZ(0).Slack(d), got, hz)
			}
		}
	}
}
