// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"katrace/internal/lab"
)

// stalled is what list or predict says of a connection in which keepalive has no say.
type stalled struct {
	from, to    time.Time // when katrace ran
	by          string
	WaitsFor    string `json:"waits_for"`
	Retransmits *int   `json:"retransmits"`
	Unacked     *int   `json:"unacked_bytes"`
	DiesIn      *int64 `json:"dies_in_ms"`
	GivesUp     *struct {
		Reason string `json:"reason"`
	} `json:"gives_up"`
}

// TestStalled holds what list and predict say of a connection in which keepalive has
// no say against what then becomes of it: until when it is retransmitted, or
// the peer's closed window is probed. Its end is told by BPF only.
func TestStalled(t *testing.T) {
	methods := []string{"netlink"}
	if out, _, status := katrace(t, "list", "--method", "bpf", "-o", "json"); status == 0 && out != "" {
		methods = append(methods, "bpf")
	}
	for _, tt := range []struct {
		name   string
		waits  string
		reason string // "": there is no end for as long as the peer answers window probes
	}{
		{"data-retries2", "retransmission", "count"},
		{"data-user-timeout", "retransmission", "user_timeout"},
		{"window-user-timeout", "window_probe", "user_timeout"},
		{"window-retries2", "window_probe", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, c := stage(t, tt.name)
			over, asked := make(chan struct{}), make(chan []stalled, 1)
			go func() {
				var said []stalled
				for {
					for _, method := range methods {
						said = append(said, ask(t, "list by "+method, "list", "-o", "json", "--method", method, "--netns", fmt.Sprint(c.Netns), "--local-port", fmt.Sprint(c.Local.Port())))
					}
					said = append(said, ask(t, "predict", "predict", "-o", "json", "--netns", fmt.Sprint(c.Netns), "--socket", c.Local.String()))
					select {
					case <-over:
						asked <- said
						return
					default:
					}
				}
			}()
			o := play(t, l)
			close(over)
			said := <-asked
			if o.Died().IsZero() {
				t.Fatal("the connection did not end")
			}
			slack := max(lab.DefaultSlack, *slack)
			seen := map[string]int{}
			for _, s := range said {
				if s.Retransmits == nil || s.from.After(o.Died()) {
					continue // not sent again so far, or over
				}
				seen[s.by]++
				if s.WaitsFor != tt.waits || s.Unacked == nil || *s.Unacked == 0 || tt.waits == "retransmission" && *s.Retransmits == 0 {
					t.Errorf("%s: %+v", s.by, s)
				}
				sure := tt.reason != "" && s.by != "list by netlink" && (s.by != "predict" || len(methods) > 1)
				switch {
				case sure != (s.DiesIn != nil):
					t.Errorf("%s: an end is said: %t, want %t", s.by, s.DiesIn != nil, sure)
				case s.DiesIn == nil:
				default:
					dies := time.Duration(*s.DiesIn) * time.Millisecond
					if s.from.Add(dies-slack).After(o.Died()) || s.to.Add(dies+slack).Before(o.Died()) {
						t.Errorf("%s: gives up in %s, it did after %s to %s", s.by, dies, o.Died().Sub(s.to), o.Died().Sub(s.from))
					}
				}
				if s.by == "predict" && s.DiesIn != nil && (s.GivesUp == nil || s.GivesUp.Reason != tt.reason) {
					t.Errorf("%s: %+v, want the reason %s", s.by, s.GivesUp, tt.reason)
				}
			}
			t.Logf("asked %d times; it was stalled for %v", len(said), seen)
			if len(seen) == 0 {
				t.Error("neither list nor predict said that keepalive has no say")
			}
		})
	}
}

// ask runs katrace and reads the one line that it prints, if it does: the connection may
// be gone, or not stalled so far.
func ask(t *testing.T, by string, args ...string) stalled {
	s := stalled{from: time.Now(), by: by}
	out, _, _ := katrace(t, args...)
	s.to = time.Now()
	line, _, _ := strings.Cut(out, "\n")
	if line != "" {
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Errorf("%s: %q: %v", by, line, err)
		}
	}
	return s
}
