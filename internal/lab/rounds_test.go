// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRounds: only the cases with a reason are staged again, and not for ever.
func TestRounds(t *testing.T) {
	cases, err := ByName("alive", "vanished", "forgotten")
	if err != nil {
		t.Fatal(err)
	}
	failed := errors.New("no more memory")
	for _, test := range []struct {
		what  string
		again []map[string]string // by round
		err   error               // in the round after these
		want  [][]string
	}{
		{"all agree", nil, nil, [][]string{{"alive", "vanished", "forgotten"}}},
		{"two, then one again", []map[string]string{{"forgotten": "hidden", "alive": "hidden"}, {"alive": "hidden"}}, nil,
			[][]string{{"alive", "vanished", "forgotten"}, {"alive", "forgotten"}, {"alive"}}},
		{"an error", []map[string]string{{"alive": "hidden"}}, failed, [][]string{{"alive", "vanished", "forgotten"}, {"alive"}}},
		{"for ever", []map[string]string{{"alive": "x"}, {"alive": "x"}, {"alive": "x"}, {"alive": "x"}, {"alive": "x"}, {"alive": "x"}}, nil,
			[][]string{{"alive", "vanished", "forgotten"}, {"alive"}, {"alive"}, {"alive"}, {"alive"}}},
	} {
		var got [][]string
		err := Rounds(cases, func(round []Case) (map[string]string, error) {
			n := len(got)
			var names []string
			for _, c := range round {
				names = append(names, c.Name)
			}
			got = append(got, names)
			if n < len(test.again) {
				return test.again[n], nil
			}
			return nil, test.err
		})
		if d := cmp.Diff(test.want, got); d != "" || !errors.Is(err, test.err) {
			t.Errorf("%s: %v, rounds (-want +got):\n%s", test.what, err, d)
		}
	}
}
