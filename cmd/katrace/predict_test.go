// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"katrace/internal/inventory"
)

func TestPredictFlags(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--idle 0", `--idle "0": want whole seconds from 1s to 32767s`},
		{"--idle 32768", `--idle "32768"`},
		{"--idle 1.5s", `--idle "1.5s"`},
		{"--idle 10h", `--idle "10h"`},
		{"--intvl x", `--intvl "x"`},
		{"--cnt 0", `--cnt "0": want a number from 1 to 127`},
		{"--cnt 128", `--cnt "128"`},
		{"--user-timeout -1", `--user-timeout "-1"`},
		{"--user-timeout 30d", `--user-timeout "30d"`},
		{"--idle-limit gcp", `--idle-limit "gcp": want a time such as 350s, or aws-nlb, azure, ipvs`},
		{"--socket 10.0.0.1", `--socket "10.0.0.1"`},
		{"--socket 10.0.0.1:0", `--socket "10.0.0.1:0"`},
		{"--socket 10.0.0.1:1 --cnt 3", `has its own settings`},
		{"-o xml", `--output "xml"`},
		{"now", `takes no argument, not "now"`},
	} {
		wantUsageError(t, newPredictCommand(), tt.args, tt.want)
	}
}

func FuzzParseTimes(f *testing.F) {
	f.Add("60")
	f.Add("2500ms")
	f.Add("9223372036854775807ns")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := parseSeconds(s); err == nil && (d < time.Second || d > 32767*time.Second) {
			t.Errorf("%q: %s", s, d)
		}
		if d, err := parseUserTimeout(s); err == nil && (d < 0 || d > (1<<31-1)*time.Millisecond) {
			t.Errorf("%q: %s", s, d)
		}
		if l, err := parseLimit(s); err == nil && l.after <= 0 {
			t.Errorf("%q: %s", s, l.after)
		}
	})
}

// predict validates the flags and predicts, with a tick of 4 ms.
func predict(t *testing.T, raw rawPredictFlags) (*predictOptions, *prediction) {
	t.Helper()
	raw.output = "text"
	o, err := raw.validate()
	if err != nil {
		t.Fatal(err)
	}
	o.jiffy = 4 * time.Millisecond
	p, err := predictSettings(&o)
	if err != nil {
		t.Fatal(err)
	}
	return &o, p
}

func TestPredictText(t *testing.T) {
	for _, tt := range []struct {
		name string
		raw  rawPredictFlags
		want string
	}{
		{"count", rawPredictFlags{idle: "60", intvl: "10", cnt: "3"}, `idle 60s (given), interval 10s (given), count 3 (given), user timeout not set

       AFTER  AT THE LATEST
          0s                 the last segment from the peer
         60s            62s  probe 1/3
         70s          72.3s  probe 2/3
         80s          82.6s  probe 3/3
         90s          92.8s  gives up: sends RST; the application reads ETIMEDOUT
`},
		{"user timeout", rawPredictFlags{idle: "60s", intvl: "10s", cnt: "6", userTimeout: "71s"}, `idle 60s (given), interval 10s (given), count 6 (given), user timeout 71s

       AFTER  AT THE LATEST
          0s                 the last segment from the peer
         60s            62s  probe 1
         70s          72.3s  probe 2
         80s          82.6s  gives up: sends RST; the application reads ETIMEDOUT

TCP_USER_TIMEOUT decides, TCP_KEEPCNT 6 does not: given up with 2 unanswered.
It is over soon after 70s: a timer that is late may give up then already.
`},
		{"too late", rawPredictFlags{idle: "2h", intvl: "75s", cnt: "1", idleLimit: "aws-nlb"}, `idle 2h (given), interval 75s (given), count 1 (given), user timeout not set

       AFTER  AT THE LATEST
          0s                 the last segment from the peer
      2h0m0s        2h2m11s  probe 1/1
     2h1m15s        2h3m28s  gives up: sends RST; the application reads ETIMEDOUT

aws-nlb (forgets after 350s): too late. An idle connection is forgotten 1h54m10s before its first probe.
Set TCP_KEEPIDLE to 333s or less.
`},
	} {
		o, p := predict(t, tt.raw)
		got := string(sayPrediction(nil, o, p))
		if got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestPredictMiddlebox(t *testing.T) {
	for _, tt := range []struct{ idle, intvl, limit, text, word string }{
		{"300s", "75s", "aws-nlb", "in time", "in_time"},
		{"60s", "400s", "aws-nlb", "too late", "too_late"},
		{"345s", "75s", "350s", "perhaps too late", "perhaps_too_late"},
		{"350s", "75s", "aws-nlb", "perhaps too late", "perhaps_too_late"},
		{"241s", "75s", "azure", "too late", "too_late"},
		{"899s", "75s", "ipvs", "perhaps too late", "perhaps_too_late"},
	} {
		o, p := predict(t, rawPredictFlags{idle: tt.idle, intvl: tt.intvl, cnt: "9", idleLimit: tt.limit})
		if got := p.middlebox(o.idleLimit, o.jiffy); !strings.Contains(got, "): "+tt.text+".") {
			t.Errorf("%s in %s: %s", tt.idle, tt.limit, got)
		}
		var said struct {
			Limit struct{ Verdict string } `json:"idle_limit"`
		}
		if err := json.Unmarshal(appendPrediction(nil, o, p), &said); err != nil || said.Limit.Verdict != tt.word {
			t.Errorf("%s in %s: %q, %v", tt.idle, tt.limit, said.Limit.Verdict, err)
		}
		safe := safeIdle(o.idleLimit.after, o.jiffy)
		if safe+inventory.Slack(safe, o.jiffy) >= o.idleLimit.after {
			t.Errorf("%s: advised %s", tt.limit, safe)
		}
	}
}
