// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/lab"
)

// TestChosenCases: ten without a flag, every one by "all", else those named, in
// that order.
func TestChosenCases(t *testing.T) {
	for _, test := range []struct {
		names []string
		want  []string
	}{
		{nil, mainCases},
		{[]string{"all"}, lab.Names()},
		{[]string{"alive", "all"}, lab.Names()},
		{[]string{"vanished", "alive"}, []string{"vanished", "alive"}},
	} {
		cases, err := chosenCases(test.names)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range cases {
			got = append(got, c.Name)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("--case %v (-want +got):\n%s", test.names, diff)
		}
	}
	if len(mainCases) != 10 {
		t.Errorf("the help says ten cases, there are %d", len(mainCases))
	}
}

// TestDemoLines: as text a case's name stands for the addresses, and few of
// hundreds of probes are shown; as JSON all of them are.
func TestDemoLines(t *testing.T) {
	id := conn.ID{Netns: 7, Local: netip.MustParseAddrPort("127.0.0.1:1"), Remote: netip.MustParseAddrPort("127.0.0.1:2")}
	for o, want := range map[output]string{
		outputText: "1 2 3 4 5 6 7 8 9 100 200 255 256 257 reset",
		outputJSON: "",
	} {
		var b strings.Builder
		s := newDemoLines(&b, o, map[conn.ID]string{id: "beyond-255"})
		for n := 1; n <= 280; n++ {
			e := events.Event{State: conn.State{Netns: 7, Local: id.Local, Remote: id.Remote, Unanswered: n, Has: conn.HasUnanswered}, Kind: events.KindProbe}
			if n == 280 {
				e.Kind = events.KindReset
			}
			if err := s.Event(&e); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
		if o == outputJSON {
			if len(lines) != 280 {
				t.Errorf("%d lines of JSON, want 280", len(lines))
			}
			continue
		}
		var got string
		for _, line := range lines {
			if strings.Contains(line, "127.0.0.1") || !strings.Contains(line, "  beyond-255 ") {
				t.Errorf("line %q", line)
			}
			if words := strings.Fields(line); words[2] == "probe" {
				n, _, _ := strings.Cut(words[4], "/")
				got += n + " "
			} else {
				got += words[2]
			}
		}
		if got != want {
			t.Errorf("shown: %q, want %q", got, want)
		}
	}
}
