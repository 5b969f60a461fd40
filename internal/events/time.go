// SPDX-License-Identifier: BSD-2-Clause

package events

import "time"

// Written by hand: time.AppendFormat reads its layout again for every event,
// and takes longer than all the rest of the line.

// appendTime appends RFC 3339 with nine digits, UTC.
func appendTime(dst []byte, t time.Time) []byte {
	t = t.UTC()
	dst = append(appendSecond(dst, t), '.')
	return append(appendDigits(dst, t.Nanosecond(), 9), 'Z')
}

// appendSecond appends "2006-01-02T15:04:05" for a year from 0 to 9999.
func appendSecond(dst []byte, t time.Time) []byte {
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b := [...]byte{
		'0' + byte(year/1000%10), '0' + byte(year/100%10), '0' + byte(year/10%10), '0' + byte(year%10),
		'-', '0' + byte(month/10), '0' + byte(month%10), '-', '0' + byte(day/10), '0' + byte(day%10),
		'T', '0' + byte(hour/10), '0' + byte(hour%10), ':', '0' + byte(minute/10), '0' + byte(minute%10),
		':', '0' + byte(second/10), '0' + byte(second%10),
	}
	return append(dst, b[:]...)
}

// appendDigits appends the last width digits of n, which is up to 9.
func appendDigits(dst []byte, n, width int) []byte {
	var b [9]byte
	for i := width - 1; i >= 0; i-- {
		b[i] = '0' + byte(n%10)
		n /= 10
	}
	return append(dst, b[:width]...)
}
