// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"math/bits"
	"time"
)

// distribution counts times in a fixed amount of memory: its quantiles are right
// to 6 percent.
type distribution struct {
	count      uint64
	exact      uint64 // of these
	belowJiffy uint64 // known to a jiffy only, and less than one
	least      time.Duration
	most       time.Duration
	fine       [64 << fineBits]uint64
	coarse     [len(steps) + 1]uint64
}

// fineBits is how many bits below the leading one tell bins apart.
const fineBits = 4

// steps are the upper bounds of the columns that are shown.
var steps = [...]time.Duration{
	10e3, 20e3, 50e3, 100e3, 200e3, 500e3, 1e6, 2e6, 5e6, 10e6, 20e6, 50e6, 100e6, 200e6, 500e6, 1e9, 2e9, 5e9, 10e9,
}

func (d *distribution) add(v time.Duration, exact bool) {
	if v = max(v, 0); d.count == 0 || v < d.least {
		d.least = v
	}
	d.count++
	d.most = max(d.most, v)
	if exact {
		d.exact++
	}
	if v == 0 && !exact {
		d.belowJiffy++
		return
	}
	d.fine[fineBin(uint64(v.Microseconds()))]++
	i := 0
	for i < len(steps) && v > steps[i] {
		i++
	}
	d.coarse[i]++
}

func fineBin(us uint64) int {
	exp := bits.Len64(us) - fineBits - 1
	if exp <= 0 {
		return int(us)
	}
	return exp<<fineBits + int(us>>exp)
}

// boundOf is the upper bound of a bin, in microseconds.
func boundOf(bin int) uint64 {
	exp := bin>>fineBits - 1
	if exp <= 0 {
		return uint64(bin)
	}
	return uint64(bin-exp<<fineBits+1)<<exp - 1
}

// quantile is the time that this part of all, from 0 to 1, does not exceed.
func (d *distribution) quantile(part float64) time.Duration {
	want := uint64(part*float64(d.count) + 0.999999)
	n := d.belowJiffy
	if n >= want {
		return 0
	}
	for i, c := range d.fine {
		if n += c; n >= want {
			return min(time.Duration(boundOf(i))*time.Microsecond, d.most)
		}
	}
	return d.most
}
