// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"bytes"
	"os"
	"strconv"

	"katrace/internal/conn"
)

// ringLink is what an io_uring's descriptor refers to.
const ringLink = "anon_inode:[io_uring]"

// eachDirect calls yield for every socket that the io_uring behind the
// descriptor holds as a direct descriptor, until it says false. The kernel shows
// them in fdinfo (io_uring_show_fdinfo), from 6.14 on with their inode number;
// before that it shows their protocol only, and nothing is found. Nor is it where
// the ring is busy just then, or its descriptor is closed.
func eachDirect(ring found, yield func(found) bool) bool {
	text, err := os.ReadFile(taskPath(ring.pid, ring.task) + "/fdinfo/" + strconv.Itoa(int(ring.fd)))
	if err != nil {
		return true // it has ended, or may not be looked at
	}
	ring.by = conn.HeldByIOUring
	return parseUserFiles(text, func(inode uint64) bool {
		ring.inode = inode
		return yield(ring)
	})
}

// parseUserFiles calls yield for each socket in an io_uring's fdinfo, until it
// says false.
func parseUserFiles(text []byte, yield func(inode uint64) bool) bool {
	_, text, _ = bytes.Cut(text, []byte("\nUserFiles:"))
	first := true
	for line := range bytes.Lines(text) {
		if first { // how many there are
			first = false
			continue
		}
		if line[0] != ' ' {
			break // the next part
		}
		_, file, _ := bytes.Cut(line, []byte(": "))
		if inode, ok := parseLink(bytes.TrimSuffix(file, []byte("\n")), "socket:["); ok && !yield(inode) {
			return false
		}
	}
	return true
}
