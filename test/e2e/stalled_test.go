// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"katrace/internal/lab"
	"katrace/test/childtest"
)

// stalled is what list or predict says of a connection in which keepalive has no say.
type stalled struct {
	from, to    time.Time // when katrace ran
	by          string
	Time        time.Time `json:"time"` // of a list: when it was begun
	WaitsFor    string    `json:"waits_for"`
	Retransmits *int      `json:"retransmits"`
	Unacked     *int      `json:"unacked_bytes"`
	DiesIn      *int64    `json:"dies_in_ms"`
	GivesUp     *struct {
		Reason string `json:"reason"`
	} `json:"gives_up"`
}

// TestStalled holds what list and predict say of a connection in which keepalive has
// no say against what then becomes of it: until when it is retransmitted, or
// the peer's closed window is probed. Its end is told by BPF only.
func TestStalled(t *testing.T) {
	methods := listMethods(t)
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
			beside(t)
			l, c := stage(t, tt.name)
			var lists []*watched
			for _, method := range methods {
				lists = append(lists, watch(t, method, c))
			}
			over, asked := make(chan struct{}), make(chan []stalled, 1)
			go func() {
				var said []stalled
				for {
					said = append(said, predicted(t, c))
					select {
					case <-over:
						asked <- said
						return
					case <-time.After(100 * time.Millisecond):
					}
				}
			}()
			o := play(t, l)
			close(over)
			said := <-asked
			for _, w := range lists {
				said = append(said, w.stop(t)...)
			}
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
					early := slack // by the count also by a firing, where those before were late (lab's judge)
					if tt.reason == "count" {
						early += 3 * time.Second // tcp_model_timeout(3)
					}
					if s.from.Add(dies-early).After(o.Died()) || s.to.Add(dies+slack).Before(o.Died()) {
						t.Errorf("%s: gives up in %s, it did after %s to %s", s.by, dies, o.Died().Sub(s.to), o.Died().Sub(s.from))
					}
				}
				if s.by == "predict" && s.DiesIn != nil && (s.GivesUp == nil || s.GivesUp.Reason != tt.reason) {
					t.Errorf("%s: %+v, want the reason %s", s.by, s.GivesUp, tt.reason)
				}
			}
			t.Logf("asked %d times; it was stalled for %v", len(said), seen)
			for _, method := range methods {
				if seen["list by "+method] == 0 {
					t.Errorf("list by %s did not say that keepalive has no say", method)
				}
			}
		})
	}
}

// predicted is what predict says; nothing where the connection is gone.
func predicted(t *testing.T, c lab.Conn) stalled {
	s := stalled{from: time.Now(), by: "predict"}
	out, _, status := katrace(t, "predict", "-o", "json", "--netns", fmt.Sprint(c.Netns), "--socket", c.Local.String())
	s.to = time.Now()
	if status == 0 {
		if err := json.Unmarshal([]byte(out), &s); err != nil {
			t.Errorf("%s: %q: %v", s.by, out, err)
		}
	}
	return s
}

// watched is a list that is made again and again.
type watched struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when all is said
	said []stalled

	stderr childtest.Buffer
}

// watch starts such a list of the connection by itself, and waits for the first.
func watch(t *testing.T, method string, c lab.Conn) *watched {
	t.Helper()
	w := &watched{cmd: command("list", "--watch", "100ms", "-o", "json", "--method", method, "--netns", fmt.Sprint(c.Netns), "--local-port", fmt.Sprint(c.Local.Port())), done: make(chan struct{})}
	w.cmd.Stderr = &w.stderr
	out, err := w.cmd.StdoutPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })
	first := make(chan struct{})
	go func() {
		defer close(w.done)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			s := stalled{by: "list by " + method, to: time.Now()}
			if err := json.Unmarshal(lines.Bytes(), &s); err != nil {
				t.Errorf("%s: %q: %v", s.by, lines.Bytes(), err)
			}
			s.from = s.Time
			if w.said = append(w.said, s); len(w.said) == 1 {
				close(first)
			}
		}
	}()
	select {
	case <-first:
	case <-w.done:
		t.Fatalf("list by %s does not show the connection; it said: %s", method, &w.stderr)
	}
	return w
}

// stop ends it; all that it said.
func (w *watched) stop(t *testing.T) []stalled {
	t.Helper()
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Error(err)
	}
	<-w.done
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("list: %v; it said: %s", err, &w.stderr)
	}
	return w.said
}
