// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// containerNames finds a container's name by its id in the files that Docker and
// Podman keep. A user's own containers are looked for below that user's home, out of
// which that user's links may lead, and what is found there names nobody else's.
type containerNames struct {
	root  string // "/", or a test's
	tries budget // of users, who can make up as many ids as they like
	wait  time.Duration
	read  func(key containerKey, home string) map[string]string

	mu    sync.Mutex
	under nameReadings
	known map[containerKey]containerName
}

// containerKey is a container of a user's; 0: of none in particular.
type containerKey struct {
	user uint32
	id   string
}

type containerName struct {
	name  string
	until time.Duration // not looked for again before
	late  bool          // "" is no answer: it could not be read
}

const (
	nameTries  = 100                    // readings of users' files, a second
	nameForget = 10 * time.Second       // how long "no such container" is believed
	nameLater  = time.Second            // when one is looked for again that could not be read
	nameKeep   = time.Minute            // how long a name is: docker rename, and another container gets it
	nameWait   = 100 * time.Millisecond // how long a caller waits for files that somebody's home may have on a network
	maxNames   = 1 << 14

	// containers.json has some kilobyte a container. Decoded it takes up to fifty times
	// as much, if it is made for that.
	maxNameFile  = 16 << 20
	maxUsersFile = 1 << 20 // a user's own
)

func newContainerNames(root string) *containerNames {
	return &containerNames{root: root, tries: budget{limit: nameTries}, wait: nameWait, read: readerOfNames(root), known: map[containerKey]containerName{}}
}

// find is the container's name; "" where it is not known, or, if it is late, not known
// so far.
func (c *containerNames) find(id, cgroup string, now time.Duration) (_ string, late bool) {
	key := containerKey{userOf(cgroup), id}
	c.mu.Lock()
	defer c.mu.Unlock()
	is, ok := c.known[key]
	if ok && now < is.until {
		return is.name, is.late
	}
	if !c.under.room(key.user, now) || key.user != 0 && !c.tries.take(now) {
		return is.name, is.name == ""
	}
	key.id = strings.Clone(id)
	done, inTime := c.start(key, now), true
	c.mu.Unlock()
	select {
	case <-done:
	case <-time.After(c.wait):
		inTime = false
	}
	c.mu.Lock()
	is = c.known[key]
	return is.name, is.late || !inTime && is.name == ""
}

// start begins a reading, with the lock held.
func (c *containerNames) start(key containerKey, now time.Duration) (done chan struct{}) {
	r := c.under.add(key.user, now)
	done = make(chan struct{})
	go func() {
		defer close(done)
		found, read := c.look(key, r)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.under.remove(r)
		name := c.known[key].name
		if len(c.known)+len(found) >= maxNames {
			clear(c.known)
		}
		for id, name := range found {
			c.known[containerKey{key.user, id}] = containerName{name: name, until: now + nameKeep}
		}
		switch {
		case !read:
			c.known[key] = containerName{name, now + nameLater, name == ""}
		case found[key.id] == "": // it is removed, perhaps, and its sockets are not gone yet
			c.known[key] = containerName{name: name, until: now + nameForget}
		}
	}()
	return done
}

// look is what a reading does. It reads nothing below a mount on which another one
// hangs.
func (c *containerNames) look(key containerKey, r *nameReading) (found map[string]string, read bool) {
	if !isID(key.id) {
		return nil, true // lxc and systemd-nspawn have names for ids
	}
	home := ""
	if key.user != 0 {
		if home = c.home(key.user); home == "" {
			return nil, true
		}
		mount := mountOf(c.root, home)
		c.mu.Lock()
		r.home, r.mount = home, mount
		alone := c.under.alone(r)
		c.mu.Unlock()
		if !alone {
			return nil, false
		}
	}
	return c.read(key, home), true
}

// readerOfNames is a function that finds the container's name, and with it those of
// others in the same file; home is that of the container's user.
func readerOfNames(root string) func(key containerKey, home string) map[string]string {
	return func(key containerKey, home string) map[string]string { return readNames(root, key, home) }
}

func readNames(root string, key containerKey, home string) map[string]string {
	id := key.id
	docker, podman := "var/lib/docker", "var/lib/containers/storage"
	if home != "" {
		docker, podman = filepath.Join(home, ".local/share/docker"), filepath.Join(home, ".local/share/containers/storage")
	}
	var one struct{ Name string }
	if key.decode(root, filepath.Join(docker, "containers", id, "config.v2.json"), &one) == nil {
		if name := strings.TrimPrefix(one.Name, "/"); isContainerName(name) {
			return map[string]string{id: name}
		}
	}
	found := map[string]string{}
	for _, driver := range [...]string{"overlay", "vfs", "btrfs", "zfs"} {
		for _, file := range [...]string{"containers.json", "volatile-containers.json"} {
			var all []struct {
				ID    string
				Names []string
			}
			if key.decode(root, filepath.Join(podman, driver+"-containers", file), &all) != nil {
				continue
			}
			for _, is := range all {
				if len(is.Names) > 0 && isID(is.ID) && isContainerName(is.Names[0]) {
					found[is.ID] = is.Names[0]
				}
			}
		}
		if found[id] != "" {
			break
		}
	}
	return found
}

// decode reads a file of JSON, a user's at the worst: it may be a FIFO, a device, a
// link or endless.
func (k containerKey) decode(root, path string, to any) error {
	f, err := os.OpenFile(filepath.Join(root, path), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() {
		return errors.New("no file")
	}
	limit := int64(maxNameFile)
	if k.user != 0 {
		limit = maxUsersFile
	}
	return json.NewDecoder(io.LimitReader(f, limit)).Decode(to)
}

// hanging is the home that hangs, and whose it is; "": none does.
func (c *containerNames) hanging(now time.Duration) (home string, user uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.under {
		if r.hangs(now) {
			return r.home, r.user
		}
	}
	return "", 0
}

// userOf is the user in whose part of the tree systemd has the cgroup:
// /user.slice/user-1000.slice/…; 0: it is in no user's.
func userOf(cgroup string) uint32 {
	rest, ok := strings.CutPrefix(cgroup, "/user.slice/user-")
	if !ok {
		return 0
	}
	number, _, _ := strings.Cut(rest, ".slice/")
	n, err := strconv.ParseUint(number, 10, 32)
	if err != nil {
		return 0
	}
	return uint32(n)
}

// home is the home directory of a user of /etc/passwd; "" where there is none.
func (c *containerNames) home(uid uint32) string {
	f, err := os.Open(filepath.Join(c.root, "etc/passwd"))
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	want := strconv.FormatUint(uint64(uid), 10)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Split(lines.Text(), ":"); len(fields) >= 6 && fields[2] == want {
			return fields[5]
		}
	}
	return ""
}

// isContainerName says that Docker and Podman take the name
// (github.com/moby/moby/daemon/names; define.NameRegex of Podman).
func isContainerName(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsRune("_.-", rune(s[0])) &&
		strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-") == ""
}
