// SPDX-License-Identifier: BSD-2-Clause

package lab

import "slices"

// Stagings is how often a case is staged at the most.
const Stagings = 5

// Rounds has the cases staged and judged, then once more those for which that
// gives a reason (Row.Again), by themselves, until none is left.
func Rounds(cases []Case, stage func(round []Case) (again map[string]string, err error)) error {
	for range Stagings {
		again, err := stage(cases)
		if err != nil || len(again) == 0 {
			return err
		}
		cases = slices.DeleteFunc(slices.Clone(cases), func(c Case) bool { return again[c.Name] == "" })
	}
	return nil
}
