// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gauge draws the bar of unanswered probes, cells wide, and the figure beside
// it. Where TCP_USER_TIMEOUT is set the kernel counts time, not probes, and so
// does the bar.
func (t *theme) gauge(f *facts, now nanos, cells int) (full, empty, figure string) {
	share := 0.0
	switch {
	case f.Keepalive.UserTimeout > 0:
		figure = f.unansweredWord() + "/ut"
		if (f.Unanswered > 0 || f.uncounted()) && f.dies != 0 && f.heard != 0 && f.dies > f.heard {
			share = float64(now-f.heard) / float64(f.dies-f.heard)
		}
		if f.ended {
			share = 1
		}
	case f.Keepalive.Count > 0:
		figure = fmt.Sprintf("%s/%d", f.unansweredWord(), f.Keepalive.Count)
		share = float64(f.Unanswered) / float64(f.Keepalive.Count)
	case f.Unanswered > 0:
		return "", "", fmt.Sprintf("%d", f.Unanswered)
	default:
		return "", "", ""
	}
	n := int(math.Round(min(1, max(0, share)) * float64(cells)))
	if n == 0 && f.Unanswered > 0 {
		n = min(1, cells)
	}
	return strings.Repeat(t.glyph.full, n), strings.Repeat(t.glyph.empty, max(0, cells-n)), figure
}

// sparkline draws the last cells round trips, each against their median: the
// median lies at the third of eight levels, a level more is half as much again,
// so that a steady peer is a flat low line and a slow answer stands out. Round
// trips known to a jiffy only count as 4 ms at least: below, they say nothing.
func (t *theme) sparkline(f *facts, cells int) string {
	n := int(f.numRTT)
	if n == 0 || cells <= 0 {
		return ""
	}
	var sorted [sparkLen]uint32
	copy(sorted[:], f.rtts[:n])
	slices.Sort(sorted[:n])
	least := 1.0
	if !f.rttExact {
		least = 4000
	}
	median := math.Max(float64(sorted[n/2]), least)
	var b strings.Builder
	for _, v := range f.rtts[max(0, n-cells):n] {
		level := 2 + int(math.Round(math.Log(math.Max(float64(v), least)/median)/math.Log(1.5)))
		b.WriteString(t.glyph.spark[min(max(level, 0), len(t.glyph.spark)-1)])
	}
	return b.String()
}

// unansweredWord is the number of unanswered probes, "?" where a listing found
// more than the kernel counts.
func (f *facts) unansweredWord() string {
	if f.uncounted() {
		return "?"
	}
	return strconv.Itoa(f.Unanswered)
}

// countdown writes the time until at: "now" when it has come, "no news" when
// it is past and nothing was heard.
func countdown(f *facts, at, now nanos) string {
	switch {
	case f.ended || at == 0:
		return "-"
	case f.overdue(now):
		return "no news"
	case at <= now:
		return "now"
	}
	return short(time.Duration(at - now))
}
