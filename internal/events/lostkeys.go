// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"errors"

	"github.com/segmentio/encoding/json"

	"katrace/internal/conn"
	"katrace/internal/enum"
)

// lostKeys are the keys of what was lost. All are looked at: a later version may lose
// what this one has no key for, and that is not nothing.
type lostKeys map[string]json.RawMessage

var lossNames = enum.Names[uint8]{What: "loss", Words: []string{"", "ring", "missed", "follow", "memory", "tuple", "disk", "unknown", "left_out", "skipped"}}

// read makes the counts of them. An *enum.UnknownError is of a loss that is not known,
// which is in Lost.Unknown: 1 where it is no number.
func (l lostKeys) read() (lost Lost, leftOut uint64, err error) {
	counts := [...]*uint64{nil, &lost.Ring, &lost.Missed, &lost.Follow, &lost.Memory, &lost.Tuple, &lost.Disk, &lost.Unknown, &leftOut}
	var unknown error
	var strange uint64
	for key, text := range l {
		var n uint64
		var by map[string]uint64
		i, not := lossNames.Parse(key)
		switch {
		case not != nil:
			if json.Unmarshal(text, &n) != nil {
				n = 1
			}
			if strange += n; n != 0 {
				unknown = not
			}
		case int(i) == len(counts): // skipped
			err = json.Unmarshal(text, &by)
			for kind, n := range skipped(&lost.Skipped) {
				*n = by[kind.String()]
				delete(by, kind.String())
			}
			for name, n := range by {
				if strange += n; n != 0 {
					unknown = &enum.UnknownError{What: "loss", Word: "skipped." + name}
				}
			}
		default:
			err = json.Unmarshal(text, counts[i])
		}
		if err != nil {
			return lost, leftOut, errors.New("lost: " + conn.Safe(err.Error()))
		}
	}
	lost.Unknown += strange
	return lost, leftOut, unknown
}
