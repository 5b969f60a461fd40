// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"math"
	"testing"
	"time"
)

func TestSafe(t *testing.T) {
	for in, want := range map[string]string{
		"postgres":            "postgres",
		"\x1b[2Jx":            "?[2Jx",
		"a\nb\r\tc\x00\x7f":   "a?b??c??",
		"\u009b31m":           "?31m", // CSI in one character
		"\u202egnp.exe":       "?gnp.exe",
		"\u200b\ufeff\u00ad":  "???", // zero width, byte order mark, soft hyphen
		"\u2028\u2029":        "??",
		"\ue000\U000e0041":    "??", // private use, tags
		"\xff\xc0\x80a":       "???a",
		"\ufffd":              "?",
		"größe 日本 \U0001f600": "größe 日本 \U0001f600",
		// A mark stays on its letter: it moves no cursor, and names have them.
		"e\u0301": "e\u0301",
	} {
		if got := Safe(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestAppendSpan(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                                     "0s",
		999:                                   "0s",
		84 * time.Microsecond:                 "84us",
		999999 * time.Nanosecond:              "999us",
		3 * time.Millisecond:                  "3ms",
		3149 * time.Microsecond:               "3.1ms",
		9949 * time.Microsecond:               "9.9ms",
		9950 * time.Microsecond:               "10ms",
		12 * time.Millisecond:                 "12ms",
		949 * time.Millisecond:                "949ms",
		950 * time.Millisecond:                "1s",
		4130 * time.Millisecond:               "4.1s",
		4 * time.Second:                       "4s",
		9949 * time.Millisecond:               "9.9s",
		9950 * time.Millisecond:               "10s",
		70*time.Second + 499*1e6:              "70s",
		119*time.Second + 500*1e6:             "2m",
		125 * time.Second:                     "2m5s",
		3599*time.Second + 999*1e6:            "1h",
		2*time.Hour + 11*time.Minute + 15*1e9: "2h11m",
		47*time.Hour + 59*time.Minute:         "47h59m",
		48 * time.Hour:                        "2d",
		76*time.Hour + 59*time.Minute:         "3d4h",
		-1500 * time.Millisecond:              "-1.5s",
		math.MinInt64:                         "-106751d",
		math.MaxInt64:                         "106751d",
	} {
		if got := string(AppendSpan([]byte(">"), d)); got != ">"+want {
			t.Errorf("%d ns: %s, want >%s", d, got, want)
		}
	}
}

func TestAppendSetting(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 30 * time.Millisecond: "30ms", 1500 * time.Millisecond: "1.5s", 10 * time.Second: "10s", 75 * time.Second: "75s",
		350 * time.Second: "350s", 15 * time.Minute: "15m", 2 * time.Hour: "2h", 7875 * time.Second: "2h11m15s",
		50 * time.Hour: "2d2h", 120*time.Second + 5*time.Millisecond: "120.005s", -time.Second: "-1s",
	} {
		if got := Exact(d); got != want {
			t.Errorf("%d ns: %q, want %q", d, got, want)
		}
	}
}
