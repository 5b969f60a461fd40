// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Memory is given back at the start of the stream, and once more when the owners of
// all sockets have been looked for and the sockets have been listed.
const giveBackAgain = 10 * time.Second

// thrifty has the heap grow to one and a half times what is in use before it is
// collected, where the user does not say otherwise: once it runs a stream makes little
// garbage, so that costs nothing. (The live view makes more.)
func thrifty() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// giveBack gives back to the kernel what only the start needed: what is free of the
// heap, and the pages of the program file that are mapped. What is used of these is
// mapped again, from the page cache.
func giveBack() {
	debug.FreeOSMemory()
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	for _, m := range unchanged(f, program) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.begin, m.end-m.begin, unix.MADV_DONTNEED)
	}
}

// mapping is from its first byte to behind its last.
type mapping struct{ begin, end uintptr }

// unchanged lists the mappings of the program file, in the text of /proc/PID/smaps, that
// can be read from the file again: they are private, cannot be written, and never were
// (as what the dynamic linker has relocated). Other files' are left alone, such as that
// of the kernel's BTF: by the time that they are given back they may be gone, and
// something else be in their place.
func unchanged(smaps io.Reader, program string) (all []mapping) {
	var m mapping
	ours := false
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		line := lines.Text()
		f := strings.Fields(line)
		switch {
		case len(f) >= 5 && len(f[1]) == 4: // ADDRESSES PERMISSIONS OFFSET DEVICE INODE FILE
			from, to, _ := strings.Cut(f[0], "-")
			begin, err := strconv.ParseUint(from, 16, 64)
			end, wrong := strconv.ParseUint(to, 16, 64)
			m = mapping{uintptr(begin), uintptr(end)}
			path := max(0, strings.IndexByte(line, '/'))
			ours = err == nil && wrong == nil && f[1][1] == '-' && f[1][3] == 'p' && line[path:] == program
		case ours && len(f) == 3 && f[0] == "Anonymous:" && f[1] == "0":
			all = append(all, m)
		}
	}
	return all
}
