// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
)

// needRoot fails a test that cannot be done without root, so that nobody takes
// its silence for success; -short leaves such tests out.
func needRoot(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs root")
	}
	if os.Geteuid() != 0 {
		t.Fatal("this test makes network namespaces: run it as root, or leave it out with -short")
	}
}

// slack is how late timers may be; where they are emulated, seconds.
func slack(t *testing.T) time.Duration {
	t.Helper()
	s := os.Getenv("KATRACE_LAB_SLACK")
	if s == "" {
		return time.Second
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("KATRACE_LAB_SLACK: %v", err)
	}
	return d
}

// play stages cases from Start to Close.
func play(t *testing.T, cases []Case) []Outcome {
	t.Helper()
	l, err := Start(t.Context(), cases)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}()
	l.Begin()
	outcomes, err := l.Wait(t.Context())
	if err != nil {
		t.Error(err)
	}
	conns := l.Conns()
	for i, o := range outcomes {
		if c := conns[i]; c.Case != o.Case || c.ID != o.Conn || c.Inode != o.Inode || c.Family != cases[i].Family {
			t.Errorf("connection %+v, outcome %+v", c, o)
		}
	}
	return outcomes
}

// TestStage: the kernel does in each case what the case says it does.
func TestStage(t *testing.T) {
	needRoot(t)
	cases := slices.DeleteFunc(Cases(), func(c Case) bool {
		err := c.Possible()
		if errors.Is(err, ErrLacking) {
			t.Logf("not possible here: %v", err)
		}
		return errors.Is(err, ErrLacking)
	})
	outcomes := play(t, cases)
	if len(outcomes) != len(cases) {
		t.Fatalf("%d outcomes of %d cases", len(outcomes), len(cases))
	}
	for _, o := range outcomes {
		t.Logf("%s", summary(o))
		for _, why := range o.Verify(slack(t)) {
			t.Errorf("%s: %s", o.Case, why)
		}
	}
	namespaces := map[uint32]bool{}
	for _, o := range outcomes {
		if o.Conn.Netns == 0 || namespaces[o.Conn.Netns] {
			t.Errorf("%s: namespace %d is not its own", o.Case, o.Conn.Netns)
		}
		namespaces[o.Conn.Netns] = true
	}
}

func summary(o Outcome) string {
	c := o.Captured
	var at []string
	for i, p := range c.Probes {
		if i == 8 {
			at = append(at, "...")
			break
		}
		at = append(at, round(p.Time.Sub(o.Begun)).String())
	}
	return fmt.Sprintf("%-18s %s after %v; %d counted, %d captured (%s), %d answered; resets %d out, %d in; %d icmp, %d window probes, %d retransmits",
		o.Case, errnoName(o.Errno), round(o.EndedAfter), o.KeepaliveCount, len(c.Probes), strings.Join(at, " "), c.Answers(),
		c.ResetsOut, c.ResetsIn, len(c.ICMP), len(c.WindowProbes), c.Retransmits)
}

// TestNothingLeft: after Close no descriptor is open and no thread is in
// another namespace, however far the lab got.
func TestNothingLeft(t *testing.T) {
	needRoot(t)
	some, err := ByName("abort", "route-gone", "forgotten", "unacked-data", "congested")
	if err != nil {
		t.Fatal(err)
	}
	play(t, some[:1]) // what the runtime opens once and keeps is open now
	before := descriptors(t)

	play(t, some[1:3])
	l, err := Start(t.Context(), some)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil { // never begun
		t.Error(err)
	}
	if l, err = Start(t.Context(), some); err != nil {
		t.Fatal(err)
	}
	l.Begin()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) { // broken off
		t.Errorf("wait: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if err := l.Close(); err != nil { // again
		t.Errorf("second close: %v", err)
	}

	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("descriptors before: %q\nafter: %q", before, after)
	}
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	threads, _ := filepath.Glob("/proc/self/task/*/ns/net")
	for _, thread := range threads {
		if ns, err := os.Readlink(thread); err == nil && ns != home {
			t.Errorf("a thread is in %s, not %s", ns, home)
		}
	}
}

func descriptors(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	var open []string
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open = append(open, target)
		}
	}
	slices.Sort(open)
	return open
}

// TestOrder: Wait before Begin is an error, not a crash; so is a second Wait.
func TestOrder(t *testing.T) {
	needRoot(t)
	cases, err := ByName("abort")
	if err != nil {
		t.Fatal(err)
	}
	l, err := Start(t.Context(), cases)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Wait(t.Context()); err == nil || !strings.Contains(err.Error(), `play "abort": it is not begun, or over`) {
		t.Errorf("wait before begin: %v", err)
	}
	l.Begin()
	if _, err := l.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Wait(t.Context()); err == nil {
		t.Error("a second wait says nothing")
	}
}

// TestStartFails: one case that cannot be staged is named, and nothing is left.
func TestStartFails(t *testing.T) {
	needRoot(t)
	cases, err := ByName("vanished", "abort")
	if err != nil {
		t.Fatal(err)
	}
	cases[1].network = func() (*network, error) { return nil, unix.EOPNOTSUPP }
	before := descriptors(t)
	if _, err := Start(t.Context(), cases); !errors.Is(err, unix.EOPNOTSUPP) || !strings.Contains(err.Error(), `stage "abort"`) {
		t.Errorf("error %v", err)
	}
	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("descriptors before: %q\nafter: %q", before, after)
	}
}

// TestPossible: what is said to be possible is what Start can do.
func TestPossible(t *testing.T) {
	needRoot(t)
	before := descriptors(t)
	for _, c := range Cases() {
		if err := c.Possible(); err != nil && !errors.Is(err, ErrLacking) {
			t.Error(err)
		}
	}
	c := Cases()[0]
	c.network = loopback(netip.MustParseAddr("2001:db8::1")) // nobody's address
	if err := c.Possible(); !errors.Is(err, unix.EADDRNOTAVAIL) || !strings.Contains(err.Error(), `stage "alive"`) {
		t.Errorf("error %v", err)
	}
	if after := descriptors(t); len(after) > len(before) {
		t.Errorf("descriptors before: %q\nafter: %q", before, after)
	}
}

func TestCases(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cases() {
		if c.Name == "" || c.About == "" || c.Staged == "" || seen[c.Name] {
			t.Errorf("case %q (%q, %q) is not complete, or there twice", c.Name, c.About, c.Staged)
		}
		seen[c.Name] = true
		if _, ok := scripts[c.Name]; !ok {
			t.Errorf("case %q: the judge's tests know nothing of it", c.Name)
		}
	}
	picked, err := ByName("forgotten", "alive")
	if err != nil || len(picked) != 2 || picked[0].Name != "forgotten" || picked[1].Name != "alive" {
		t.Errorf("picked %v, %v", picked, err)
	}
	if all, err := ByName(); err != nil || len(all) != len(seen) {
		t.Errorf("no names: %d cases, %v", len(all), err)
	}
	if _, err := ByName("alive", "nonsense"); err == nil || !strings.Contains(err.Error(), `no case "nonsense" (one of: alive, vanished, `) {
		t.Errorf("error %v", err)
	}
}

// TestBeginFails: a case that could not be begun is staged again, and the others are judged.
func TestBeginFails(t *testing.T) {
	needRoot(t)
	cases, err := ByName("abort", "vanished")
	if err != nil {
		t.Fatal(err)
	}
	late := errors.New("connection timed out")
	cases[1].prepare = func(*stage) error { return late }
	l, err := Start(t.Context(), cases)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.Begin()
	outcomes, err := l.Wait(t.Context())
	if !errors.Is(err, late) || len(outcomes) != 2 {
		t.Fatalf("%v, %d outcomes", err, len(outcomes))
	}
	if o := outcomes[0]; o.Failed != nil || o.Case != "abort" {
		t.Errorf("the other case: %+v", o)
	}
	row := Judge(outcomes[1], nil, events.Lost{}, full)
	if why := row.Again(events.Lost{}); why != "the staging failed" || !slices.ContainsFunc(row.Why, func(w string) bool { return strings.Contains(w, late.Error()) }) {
		t.Errorf("it is staged again because %q: %q", why, row.Why)
	}
}
