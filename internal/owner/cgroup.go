// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups finds the path of a cgroup v2 directory by its id, the kernfs id
// that a socket's record holds. An id is never used again while the machine is
// up, so what was found once holds for ever.
type cgroups struct {
	mount int    // a descriptor of cgroup2's mount point, -1: none
	at    string // the mount point
	tries budget

	mu    sync.RWMutex
	known map[uint64]cgroupPath
}

type cgroupPath struct {
	path      string
	container Container
	until     time.Duration // for "": not asked for again before
}

const (
	maxCgroups   = 1 << 14
	cgroupTries  = 500              // system calls for unknown ids, a second
	cgroupForget = 10 * time.Second // how long "no such cgroup" is believed

	fileidKernfs = 0xfe // FILEID_KERNFS in include/linux/exportfs.h
)

func newCgroups(mountinfo string) *cgroups {
	c := &cgroups{mount: -1, tries: budget{limit: cgroupTries}, known: map[uint64]cgroupPath{}}
	text, err := os.ReadFile(mountinfo)
	if err != nil {
		return c
	}
	c.at = cgroup2Mount(string(text))
	if c.at == "" {
		return c
	}
	if fd, err := unix.Open(c.at, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err == nil {
		c.mount = fd
	}
	return c
}

// HasCgroup2 says whether a cgroup v2 hierarchy is mounted, whose paths sockets
// have. Elsewhere a socket's cgroup is one of its process's of v1, systemd's own
// (name=systemd) rather than a controller's.
func HasCgroup2() bool {
	text, err := os.ReadFile("/proc/self/mountinfo")
	return err != nil || cgroup2Mount(string(text)) != ""
}

// cgroup2Mount finds where cgroup v2 is mounted in a mountinfo text. A mount of
// its root is wanted: below another one not every cgroup can be seen.
func cgroup2Mount(mountinfo string) string {
	best := ""
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Split(before, " ") // other white space can be in a name
		if !ok || len(fields) < 5 || !strings.HasPrefix(after, "cgroup2 ") {
			continue
		}
		if at := unescapeMount(fields[4]); best == "" || fields[3] == "/" {
			best = at
			if fields[3] == "/" {
				return best
			}
		}
	}
	return best
}

// unescapeMount undoes mountinfo's \040 for a blank and the like.
func unescapeMount(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// find is the cgroup's path as /proc/PID/cgroup would show it, and the container
// that it belongs to; zero where they are not known. What is not cached takes
// three system calls, at most cgroupTries times a second.
func (c *cgroups) find(id uint64, now time.Duration) (path string, container Container) {
	if id == 0 || c.mount < 0 {
		return "", Container{}
	}
	c.mu.RLock()
	p, ok := c.known[id]
	c.mu.RUnlock()
	if ok && (p.path != "" || now < p.until) || !c.tries.take(now) {
		return p.path, p.container
	}
	p = cgroupPath{path: c.resolve(id), until: now + cgroupForget}
	p.container = ParseContainer(p.path)
	c.mu.Lock()
	if len(c.known) >= maxCgroups {
		clear(c.known)
	}
	c.known[id] = p
	c.mu.Unlock()
	return p.path, p.container
}

// resolve opens the directory by its file handle, which for kernfs is the id.
func (c *cgroups) resolve(id uint64) string {
	fd, err := unix.OpenByHandleAt(c.mount, unix.NewFileHandle(fileidKernfs, binary.NativeEndian.AppendUint64(nil, id)), unix.O_PATH|unix.O_CLOEXEC)
	if err != nil {
		return "" // gone, or CAP_DAC_READ_SEARCH is missing
	}
	defer func() { _ = unix.Close(fd) }()
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil || strings.HasSuffix(path, " (deleted)") {
		return ""
	}
	rel, err := filepath.Rel(c.at, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "" // outside what is mounted here
	}
	if rel == "." {
		return "/"
	}
	return "/" + rel
}

func (c *cgroups) close() {
	if c.mount >= 0 {
		_ = unix.Close(c.mount)
	}
}
