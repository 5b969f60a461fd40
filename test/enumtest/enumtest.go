// SPDX-License-Identifier: BSD-2-Clause

// Package enumtest tests enumerations.
package enumtest

import (
	"strings"
	"testing"

	"katrace/internal/enum"
)

// RoundTrip fails the test unless every value has one name, the name leads back, and the last value
// has the last one, so that none is missing.
func RoundTrip[T interface {
	~uint8
	String() string
}](t testing.TB, n enum.Names[T], last T, parse func(string) (T, error)) {
	t.Helper()
	if len(n.Words) != int(last)+1 || T(0).String() != "" || (last+1).String() != "" {
		t.Errorf("%s: %d words, want one for each value up to %d and none beyond", n.What, len(n.Words), last)
	}
	for v := T(1); v <= last; v++ {
		if got, err := parse(v.String()); got != v || err != nil || v.String() == "" {
			t.Errorf("%s %d is %q, which is %d (%v)", n.What, v, v.String(), got, err)
		}
	}
	for _, bad := range []string{"", "Probe", "none"} {
		if v, err := parse(bad); err == nil || !strings.Contains(err.Error(), n.Words[1]) {
			t.Errorf("%s %q: %d, %v; want an error that lists the words", n.What, bad, v, err)
		}
	}
}
