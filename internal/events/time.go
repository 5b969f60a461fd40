// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"time"

	"katrace/internal/conn"
)

// Written by hand: time.AppendFormat reads its layout again for every event,
// and takes longer than all the rest of the line.

// appendTime appends RFC 3339 with nine digits, UTC.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	dst = append(appendSecond(dst, t), '.')
	return append(conn.AppendDigits(dst, uint64(t.Nanosecond()), 9), 'Z')
}

// appendSecond appends "2006-01-02T15:04:05" for a year from 0 to 9999.
func appendSecond(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = conn.AppendDigits(dst, uint64(year), 4)
	for _, part := range [...]struct {
		before byte
		n      int
	}{{'-', int(month)}, {'-', day}, {'T', hour}, {':', minute}, {':', second}} {
		dst = append(dst, part.before, '0'+byte(part.n/10), '0'+byte(part.n%10))
	}
	return dst
}
