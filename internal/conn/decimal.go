// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"math/bits"
	"slices"
)

// Numbers are a quarter of what a line of the stream costs. strconv writes them into
// a buffer of its own and copies them.

const pairs = "00010203040506070809" +
	"10111213141516171819" +
	"20212223242526272829" +
	"30313233343536373839" +
	"40414243444546474849" +
	"50515253545556575859" +
	"60616263646566676869" +
	"70717273747576777879" +
	"80818283848586878889" +
	"90919293949596979899"

// AppendDecimal appends a number.
func AppendDecimal(dst []byte, n uint64) []byte {
	if n < 10 {
		return append(dst, '0'+byte(n))
	}
	return AppendDigits(dst, n, digits(n))
}

// AppendDigits appends the last width digits of n, which has 20 at the most.
func AppendDigits(dst []byte, n uint64, width int) []byte {
	dst = slices.Grow(dst, 20)
	from := len(dst)
	dst = dst[:from+width]
	to := dst[from:]
	for len(to) > 1 {
		at := n % 100 * 2
		n /= 100
		to[len(to)-1], to[len(to)-2] = pairs[at+1], pairs[at]
		to = to[:len(to)-2]
	}
	if len(to) == 1 {
		to[0] = '0' + byte(n%10)
	}
	return dst
}

// AppendInt appends a number with its sign.
func AppendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return AppendDecimal(append(dst, '-'), -uint64(n))
	}
	return AppendDecimal(dst, uint64(n))
}

// powers are those of ten.
var powers = func() (p [20]uint64) {
	p[0] = 1
	for i := range p[1:] {
		p[i+1] = p[i] * 10
	}
	return p
}()

// digits is how many n, which is not 0, has. 1233/4096 is the logarithm of 2.
func digits(n uint64) int {
	d := bits.Len64(n) * 1233 >> 12
	if n >= powers[d] {
		d++
	}
	return d
}
