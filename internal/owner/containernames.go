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
// Podman keep. A user's own containers are looked for below that user's home alone,
// and so what a user writes there names nobody else's.
type containerNames struct {
	root  string // "/", or a test's
	tries budget

	mu    sync.Mutex
	busy  bool // a reading is under way
	known map[containerKey]containerName
}

// containerKey is a container of a user's; 0: of none in particular.
type containerKey struct {
	user uint32
	id   string
}

type containerName struct {
	name  string
	until time.Duration // for "": not looked for again before
}

const (
	nameTries  = 100                    // readings, a second
	nameForget = 10 * time.Second       // how long "no such container" is believed
	nameWait   = 100 * time.Millisecond // how long a caller waits for files that somebody's home may have on a network
	maxNames   = 1 << 14

	maxNameFile = 16 << 20 // containers.json has some kilobyte a container
)

func newContainerNames(root string) *containerNames {
	return &containerNames{root: root, tries: budget{limit: nameTries}, known: map[containerKey]containerName{}}
}

// find is the container's name; "" where it is not known, or not known so far.
func (c *containerNames) find(id, cgroup string, now time.Duration) string {
	key := containerKey{userOf(cgroup), id}
	c.mu.Lock()
	is, ok := c.known[key]
	if ok && (is.name != "" || now < is.until) || c.busy || !c.tries.take(now) {
		c.mu.Unlock()
		return is.name
	}
	c.busy = true
	c.mu.Unlock()
	done := make(chan struct{})
	key.id = strings.Clone(id)
	go func() {
		defer close(done)
		found := c.read(key)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy = false
		if len(c.known)+len(found) >= maxNames {
			clear(c.known)
		}
		for id, name := range found {
			c.known[containerKey{key.user, id}] = containerName{name: name}
		}
		if found[key.id] == "" {
			c.known[key] = containerName{until: now + nameForget}
		}
	}()
	select {
	case <-done:
	case <-time.After(nameWait):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[key].name
}

// read finds the container's name, and with it those of others in the same file.
func (c *containerNames) read(key containerKey) map[string]string {
	id := key.id
	if !isID(id) {
		return nil // lxc and systemd-nspawn have names for ids
	}
	docker, podman := "var/lib/docker", "var/lib/containers/storage"
	if key.user != 0 {
		home := c.home(key.user)
		if home == "" {
			return nil
		}
		docker, podman = filepath.Join(home, ".local/share/docker"), filepath.Join(home, ".local/share/containers/storage")
	}
	var one struct{ Name string }
	if c.decode(filepath.Join(docker, "containers", id, "config.v2.json"), &one) == nil {
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
			if c.decode(filepath.Join(podman, driver+"-containers", file), &all) != nil {
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
func (c *containerNames) decode(path string, to any) error {
	f, err := os.OpenFile(filepath.Join(c.root, path), os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
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
	return json.NewDecoder(io.LimitReader(f, maxNameFile)).Decode(to)
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
