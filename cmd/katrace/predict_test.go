// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"katrace/internal/inventory"
	"katrace/internal/jiffies"
	"katrace/internal/predict"
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
		{"--user-timeout 30", `--user-timeout "30": want a time with its unit, such as 30s or 2500ms`},
		{"--user-timeout 30000.0", `--user-timeout "30000.0"`},
		{"--user-timeout 1.5ms", `--user-timeout "1.5ms": want whole milliseconds`},
		{"--user-timeout 25d", `--user-timeout "25d"`},
		{"--user-timeout 600h", `--user-timeout "600h": want whole milliseconds up to 2147483647ms`},
		{"--idle-limit gcp", `--idle-limit "gcp": want a time such as 350s, or azure, aws-nlb, ipvs`},
		{"--socket 10.0.0.1", `--socket "10.0.0.1"`},
		{"--socket 10.0.0.1:0", `--socket "10.0.0.1:0"`},
		{"--socket 10.0.0.1:1 --cnt 3", `has its own settings`},
		{"-o xml", `--output "xml"`},
		{"now", `takes no argument, not "now"`},
	} {
		wantUsageError(t, newPredictCommand(), tt.args, tt.want)
	}
}

// TestPredictUnits: a bare number is seconds wherever one is taken, and a
// setting is shown as it was given.
func TestPredictUnits(t *testing.T) {
	o, _ := predicted(t, rawPredictFlags{idle: "60", intvl: "10", cnt: "3", userTimeout: "33500ms", idleLimit: "90"})
	if o.idle != time.Minute || o.intvl != 10*time.Second || o.userTimeout != 33500*time.Millisecond || o.idleLimit.Forgets != 90*time.Second {
		t.Errorf("%+v", o)
	}
	for in, want := range map[string]string{"30ms": "30ms", "33.5s": "33.5s", "0": "not set", "90061001ms": "25h1m1.001s", "75s": "75s"} {
		_, p := predicted(t, rawPredictFlags{idle: "60", intvl: "10", cnt: "3", userTimeout: in, idleLimit: "90.25s"})
		text := string(p.AppendText(nil))
		for _, want := range []string{"user timeout " + want + "\n", "forgets after 90.25s)"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: want %q in\n%s", in, want, text)
			}
		}
	}
}

// FuzzPredict: whatever the flags and the sysctls are, there is a prediction, of
// a bounded length, in which time does not run backwards.
func FuzzPredict(f *testing.F) {
	f.Add("5", "", "", "20s", "aws-nlb", "7200", "0", "9", uint16(250))
	f.Add("", "", "", "2147483647ms", "1ns", "2147483", "0", "255", uint16(1000))
	f.Add("", "", "", "", "2540400h", "21474836", "21474836", "255", uint16(100))
	f.Add("1s", "32767", "127", "1ms", "24h", "-1", "-1", "0", uint16(300))
	f.Fuzz(func(t *testing.T, idle, intvl, cnt, userTimeout, limit, sysIdle, sysIntvl, sysCnt string, hz uint16) {
		raw := rawPredictFlags{output: "json", idle: idle, intvl: intvl, cnt: cnt, userTimeout: userTimeout, idleLimit: limit}
		o, err := raw.validate()
		if err != nil {
			return
		}
		o.hz = jiffies.HZ(max(hz, 1))
		s, err := inventory.ParseDefaults([3]string{sysIdle, sysIntvl, sysCnt}, o.hz)
		if err != nil {
			return
		}
		p := predictDefaults(&o, s)
		if text := p.AppendText(nil); len(text) > 4<<10 || bytes.Count(text, []byte("gives up: sends RST")) != 1 {
			t.Fatalf("%d bytes:\n%.4096s", len(text), text)
		}
		line := p.AppendJSON(nil)
		var said struct {
			Probes []struct {
				At     int64 `json:"at_ms"`
				Latest int64 `json:"latest_ms"`
			}
			More int `json:"more_probes"`
			End  struct {
				At     int64 `json:"at_ms"`
				Latest int64 `json:"latest_ms"`
			} `json:"gives_up"`
		}
		if err := json.Unmarshal(line, &said); err != nil || len(line) > 100<<10 {
			t.Fatalf("%d bytes, %v:\n%.4096s", len(line), err, line)
		}
		if len(said.Probes)+said.More != p.Line.Probes || said.More > 0 && len(said.Probes) != 1000 {
			t.Fatalf("%d probes and %d more are not %d", len(said.Probes), said.More, p.Line.Probes)
		}
		at, latest := int64(0), int64(0)
		for _, step := range append(said.Probes, said.End) {
			if step.At < at || step.Latest < latest || step.Latest < step.At {
				t.Fatalf("%d to %d after %d to %d:\n%.4096s", step.At, step.Latest, at, latest, line)
			}
			at, latest = step.At, step.Latest
		}
	})
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
		if l, err := parseLimit(s); err == nil && l.Forgets <= 0 {
			t.Errorf("%q: %s", s, l.Forgets)
		}
	})
}

// rawPredictFlags are flags as typed.
type rawPredictFlags struct{ output, idle, intvl, cnt, userTimeout, idleLimit string }

func (r *rawPredictFlags) validate() (o predictOptions, err error) {
	cmd := &cobra.Command{}
	o.addFlags(cmd)
	for flag, word := range map[string]string{"output": r.output, "idle": r.idle, "intvl": r.intvl, "cnt": r.cnt, "user-timeout": r.userTimeout, "idle-limit": r.idleLimit} {
		if word != "" {
			err = cmp.Or(err, cmd.Flags().Set(flag, word))
		}
	}
	return o, cmp.Or(err, o.validate(cmd.Flags()))
}

// predicted validates the flags and predicts, at HZ 250.
func predicted(t *testing.T, raw rawPredictFlags) (*predictOptions, *predict.Prediction) {
	t.Helper()
	raw.output = "text"
	o, err := raw.validate()
	if err != nil {
		t.Fatal(err)
	}
	o.hz = 250
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
         80s          81.3s  gives up: sends RST; the application reads ETIMEDOUT

TCP_USER_TIMEOUT decides, TCP_KEEPCNT 6 does not: given up with 2 unanswered.
Where timers are late, the firing due after 70s may be the one that gives up.
`},
		{"many", rawPredictFlags{idle: "1", intvl: "1", cnt: "1", userTimeout: "596h31m"}, `idle 1s (given), interval 1s (given), count 1 (given), user timeout 24d20h31m

       AFTER  AT THE LATEST
          0s                 the last segment from the peer
          1s             1s  probe 1
          2s           2.1s  probe 2
          3s           3.1s  probe 3
          4s           4.1s  probe 4
          5s           5.2s  probe 5
          6s           6.2s  probe 6
          7s           7.2s  probe 7
          8s           8.3s  probe 8
          9s           9.3s  probe 9
         10s          10.3s  probe 10
         ...                 2147447 more probes, one every 1s
24d20h30m58s    24d20h31m2s  probe 2147458
24d20h30m59s    24d20h31m2s  probe 2147459
   24d20h31m    24d20h31m2s  gives up: sends RST; the application reads ETIMEDOUT

TCP_USER_TIMEOUT decides, TCP_KEEPCNT 1 does not: given up with 2147459 unanswered.
Where timers are late, the firing due after 24d2h1m13s may be the one that gives up.
`},
		{"too late", rawPredictFlags{idle: "2h", intvl: "75s", cnt: "1", idleLimit: "aws-nlb"}, `idle 2h (given), interval 75s (given), count 1 (given), user timeout not set

       AFTER  AT THE LATEST
          0s                 the last segment from the peer
          2h        2h2m11s  probe 1/1
     2h1m15s        2h3m28s  gives up: sends RST; the application reads ETIMEDOUT

aws-nlb (forgets after 350s): too late. An idle connection is forgotten 1h54m10s before its first probe.
Set TCP_KEEPIDLE to 333s or less.
`},
	} {
		_, p := predicted(t, tt.raw)
		got := string(p.AppendText(nil))
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
		_, p := predicted(t, rawPredictFlags{idle: tt.idle, intvl: tt.intvl, cnt: "9", idleLimit: tt.limit})
		if got := string(p.AppendText(nil)); !strings.Contains(got, "): "+tt.text+".") {
			t.Errorf("%s in %s: %s", tt.idle, tt.limit, got)
		}
		var said struct {
			Limit struct{ Verdict string } `json:"idle_limit"`
		}
		if err := json.Unmarshal(p.AppendJSON(nil), &said); err != nil || said.Limit.Verdict != tt.word {
			t.Errorf("%s in %s: %q, %v", tt.idle, tt.limit, said.Limit.Verdict, err)
		}
	}
}
