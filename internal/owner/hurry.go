// SPDX-License-Identifier: BSD-2-Clause

package owner

import "time"

// Hurry has a scan made for what was asked for, without the pauses that scans
// make for the sake of a busy stream, and without MinPause. It says whether its
// answer can be expected within that time; if not, all stays as it is. Scans in a
// hurry take no more than a tenth of a core in the long run, as others do.
func (r *Resolver) Hurry(within time.Duration) bool {
	r.missMu.Lock()
	wait := r.rest()
	if r.scanning {
		wait = max(wait, r.quick) // to the end of that one
	}
	// A scan that the machine's other work slowed down says little of the next.
	soon := wait <= within && r.quick <= 2*within
	if soon {
		r.hurried = true
	}
	r.missMu.Unlock()
	if soon {
		select {
		case r.hurry <- struct{}{}:
		default:
		}
	}
	return soon
}

// rest is how long it takes until a scan in a hurry is allowed. missMu is held.
func (r *Resolver) rest() time.Duration { return max(0, r.owed-inHurry-r.now()) }

func (r *Resolver) rested() time.Duration {
	r.missMu.Lock()
	defer r.missMu.Unlock()
	return r.rest()
}

func (r *Resolver) isHurried() bool {
	r.missMu.Lock()
	defer r.missMu.Unlock()
	return r.hurried
}
