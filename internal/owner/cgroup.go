// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

	// last is the path that was found last: most sockets of a busy host are of a few cgroups.
	last atomic.Pointer[cgroupPath]

	mu    sync.RWMutex
	known map[uint64]*cgroupPath
}

// cgroupPath does not change.
type cgroupPath struct {
	id        uint64
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
	c := &cgroups{mount: -1, tries: budget{limit: cgroupTries}, known: map[uint64]*cgroupPath{}}
	text, err := os.ReadFile(mountinfo)
	if err != nil {
		return c
	}
	m, _ := chooseMount(cgroup2Mounts(string(text)), isWhole)
	if m.point == "" {
		return c
	}
	c.at = m.point
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
	return err != nil || len(cgroup2Mounts(string(text))) > 0
}

// cgroup2Mount is a mount of cgroup v2.
type cgroup2Mount struct {
	root  string // what is mounted, as seen from this process's cgroup namespace: "/", "/../.."
	point string
}

// cgroup2Mounts finds the mounts of cgroup v2 in a mountinfo text.
func cgroup2Mounts(mountinfo string) (mounts []cgroup2Mount) {
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		fields := strings.Split(before, " ") // other white space can be in a name
		if ok && len(fields) >= 5 && strings.HasPrefix(after, "cgroup2 ") {
			mounts = append(mounts, cgroup2Mount{unescapeMount(fields[3]), unescapeMount(fields[4])})
		}
	}
	return mounts
}

// chooseMount takes the mount that has the whole hierarchy. Without one it is that
// of what this process takes for the root, or any: a container has its own cgroup
// mounted.
func chooseMount(mounts []cgroup2Mount, isWhole func(point string) bool) (_ cgroup2Mount, whole bool) {
	var best cgroup2Mount
	for _, m := range mounts {
		if isWhole(m.point) {
			return m, true
		}
		if best.point == "" || m.root == "/" && best.root != "/" {
			best = m
		}
	}
	return best, false
}

// isWhole says that the hierarchy's root is mounted there: it has the first inode
// number (kernfs_create_root).
func isWhole(point string) bool {
	var st unix.Stat_t
	return unix.Stat(point, &st) == nil && st.Ino == 1
}

// above is what stands before all paths of cgroups in /proc that are not in this
// process's cgroup namespace, "/../..": the way to the hierarchy's root. "" where
// the namespace is the host's. known says whether that can be told.
var above = sync.OnceValues(func() (way string, known bool) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", false
	}
	m, whole := chooseMount(cgroup2Mounts(string(text)), isWhole)
	return strings.TrimSuffix(m.root, "/"), whole
})

// fromRoot is a path of /proc/PID/cgroup from the hierarchy's root on, where way
// leads from this process's cgroup namespace to the root; "" where it cannot be
// told.
func fromRoot(path, way string, known bool) string {
	switch rest, ok := strings.CutPrefix(path, way); {
	case !known:
		if strings.HasPrefix(path, "/..") {
			return "" // outside a namespace, whose place is not known
		}
		return path
	case !ok:
		return "" // in the namespace, or beside it
	case rest == "":
		return "/"
	default:
		return rest
	}
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
	if last := c.last.Load(); last != nil && last.id == id {
		return last.path, last.container
	}
	c.mu.RLock()
	p := c.known[id]
	c.mu.RUnlock()
	if p == nil || p.path == "" && now >= p.until {
		if !c.tries.take(now) {
			return "", Container{}
		}
		p = c.learn(id, now)
	}
	if p.path != "" {
		c.last.Store(p)
	}
	return p.path, p.container
}

func (c *cgroups) learn(id uint64, now time.Duration) *cgroupPath {
	p := &cgroupPath{id: id, path: c.resolve(id), until: now + cgroupForget}
	p.container = ParseContainer(p.path)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxCgroups {
		clear(c.known)
	}
	c.known[id] = p
	return p
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
		return "" // outside what is mounted here, of which the kernel shows "/" (prepend_path)
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
