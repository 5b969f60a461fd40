// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// nameReadings are the readings of files with names that are under way: one of the
// system's files, and one of users'. A home on a network may not answer any more, and
// nothing can be done for a goroutine that waits for it. A reading that no caller waits
// for any more is left behind, and there is room for one more, below another mount.
type nameReadings []*nameReading

type nameReading struct {
	user  uint32 // 0: of the system's files
	since time.Duration
	home  string // of a user; set before anything in it is read
	mount string // the id of the mount on which the home is; "": not known
}

// nameHangs is how long a reading takes that is said to hang.
const nameHangs = 10 * time.Second

// leftBehind says that a user's reading takes too long for its caller.
func (r *nameReading) leftBehind(now time.Duration) bool {
	return r.user != 0 && now-r.since >= nameWait
}

// hangs says that a user's reading is left behind for long.
func (r *nameReading) hangs(now time.Duration) bool { return r.user != 0 && now-r.since >= nameHangs }

// room says whether another reading may begin.
func (all nameReadings) room(user uint32, now time.Duration) bool {
	behind := 0
	for _, r := range all {
		switch {
		case (r.user == 0) != (user == 0):
		case r.leftBehind(now):
			behind++
		default:
			return false
		}
	}
	return behind <= 1
}

func (all *nameReadings) add(user uint32, now time.Duration) *nameReading {
	r := &nameReading{user: user, since: now}
	*all = append(*all, r)
	return r
}

func (all *nameReadings) remove(r *nameReading) {
	*all = slices.DeleteFunc(*all, func(o *nameReading) bool { return o == r })
}

// alone says that no other user's reading is below the same mount.
func (all nameReadings) alone(r *nameReading) bool {
	return !slices.ContainsFunc(all, func(o *nameReading) bool { return o != r && o.user != 0 && o.mount == r.mount })
}

// mountOf is the id of the mount that has the path, as far as its name tells: the
// path itself is not touched. "": it is not known.
func mountOf(root, path string) (id string) {
	text, err := os.ReadFile(filepath.Join(root, "proc/self/mountinfo"))
	if err != nil {
		return ""
	}
	path = filepath.Clean(path)
	longest := -1
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(line, " ", 6) // other white space can be in a name
		if len(fields) < 6 {
			continue
		}
		point := unescapeMount(fields[4])
		below := point == "/" || path == point || strings.HasPrefix(path, point+"/")
		if below && len(point) >= longest { // the later one is mounted over the other
			id, longest = fields[0], len(point)
		}
	}
	return id
}
