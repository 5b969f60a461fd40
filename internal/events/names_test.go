// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"testing"

	"katrace/internal/conn"
	"katrace/internal/loader"
	"katrace/test/enumtest"
)

func TestNames(t *testing.T) {
	enumtest.RoundTrip(t, kindNames, KindSuppressed, ParseKind)
	enumtest.RoundTrip(t, verdictNames, VerdictReset, ParseVerdict)
	enumtest.RoundTrip(t, directionNames, DirectionOut, ParseDirection)
	enumtest.RoundTrip(t, changeNames, ChangeEnded, ParseChange)
	enumtest.RoundTrip(t, rstNames, RSTThisHost, ParseRST)
	enumtest.RoundTrip(t, byNames, ByThisHost, ParseBy)
	enumtest.RoundTrip(t, exitNames, ExitError, ParseExit)
	enumtest.RoundTrip(t, reasonNames, ReasonNotIdle, ParseReason)
}

// TestNumbersAreTheRecords: these numbers come from bpf/record.h as they are.
func TestNumbersAreTheRecords(t *testing.T) {
	r := probeRecord()
	for reason, name := range []string{"", "count", "user_timeout", "socket_busy", "fin_wait2", "keepalive_off", "closed", "data_in_flight", "not_idle"} {
		r.Kind, r.Reason = loader.RecordTimer, uint8(reason)
		_ = NewTracker(jiffy).Record(&r, func(e *Event) error {
			if e.Reason.String() != name {
				t.Errorf("reason %d is %q, want %q as in enum record_reason", reason, e.Reason, name)
			}
			return nil
		})
	}
	for set, name := range map[conn.Setting]string{1: "idle", 2: "intvl", 4: "cnt", 3: ""} {
		if set.Name() != name {
			t.Errorf("setting %d is %q, want %q as in enum record_inherited", set, set.Name(), name)
		}
	}
}

func TestICMPText(t *testing.T) {
	for _, tt := range []struct {
		six         bool
		typ, code   uint8
		text        string
		unreachable bool
	}{
		{false, 3, 0, "network unreachable", true},
		{false, 3, 1, "host unreachable", true},
		{false, 3, 3, "port unreachable", true},
		{false, 3, 4, "fragmentation needed", false},
		{false, 3, 13, "communication prohibited", true},
		{false, 3, 15, "precedence cutoff", true},
		{false, 3, 16, "error", true},
		{false, 4, 0, "source quench", false},
		{false, 5, 1, "redirect", false},
		{false, 11, 0, "time exceeded", true},
		{false, 12, 0, "parameter problem", false},
		{false, 1, 0, "error", false},
		{true, 1, 0, "no route", true},
		{true, 1, 3, "address unreachable", true},
		{true, 1, 6, "route rejected", true},
		{true, 1, 7, "error", true},
		{true, 2, 0, "packet too big", false},
		{true, 3, 1, "time exceeded", true},
		{true, 4, 0, "parameter problem", false},
		{true, 137, 0, "redirect", false},
		{true, 11, 0, "error", false},
	} {
		if got := icmpText(tt.six, tt.typ, tt.code); got != tt.text {
			t.Errorf("IPv6 %v, type %d code %d: %q, want %q", tt.six, tt.typ, tt.code, got, tt.text)
		}
		if got := isUnreachable(tt.six, tt.typ, tt.code); got != tt.unreachable {
			t.Errorf("IPv6 %v, type %d code %d: unreachable %v", tt.six, tt.typ, tt.code, got)
		}
	}
}

// TestICMP6 tells an error of the other family, whose numbers mean other things.
func TestICMP6(t *testing.T) {
	r := probeRecord()
	r.Kind, r.Family, r.IcmpType, r.IcmpCode = loader.RecordICMP, 10, 1, 0
	r.Local, r.Remote, r.From = netipAddr("2001:db8::1").As16(), netipAddr("2001:db8::2").As16(), netipAddr("2001:db8::ff").As16()
	_ = NewTracker(jiffy).Record(&r, func(e *Event) error {
		if want := (ICMP{1, 0, "no route", netipAddr("2001:db8::ff")}); e.ICMP != want || e.Verdict != VerdictUnreachable {
			t.Errorf("%+v, verdict %s; want %+v, unreachable", e.ICMP, e.Verdict, want)
		}
		return nil
	})
}
