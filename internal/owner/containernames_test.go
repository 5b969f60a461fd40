// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/test/hostile"
)

const usersCgroup = "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-"

// host writes files below a root of its own.
func host(t *testing.T, texts map[string]string) *containerNames {
	t.Helper()
	root := t.TempDir()
	for path, text := range texts {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := newContainerNames(root)
	c.wait = time.Hour // no test is about a slow machine
	return c
}

// name is find's name.
func (c *containerNames) name(id, cgroup string, now time.Duration) string {
	name, _ := c.find(id, cgroup, now)
	return name
}

// settle waits until no more readings than these are under way.
func (c *containerNames) settle(readings int) {
	for {
		c.mu.Lock()
		n := len(c.under)
		c.mu.Unlock()
		if n <= readings {
			return
		}
		runtime.Gosched()
	}
}

func podmans(id, name string) string {
	return fmt.Sprintf(`[{"id":%q,"names":[%q],"image":"37f6","layer":"1b27","metadata":"{\"name\":\"x\"}","flags":{"MountLabel":""}}]`, id, name)
}

func TestContainerNames(t *testing.T) {
	id := func(digit string) string { return strings.Repeat(digit, 64) }
	c := host(t, map[string]string{
		"etc/passwd": "root:x:0:0:root:/root:/bin/bash\nann:x:1000:1000:,,,:/home/ann:/bin/bash\nbroken\n",
		"var/lib/docker/containers/" + id("a") + "/config.v2.json":                    `{"ID":"` + id("a") + `","Name":"/frosty_cart"}`,
		"var/lib/containers/storage/overlay-containers/containers.json":               podmans(id("b"), "web"),
		"var/lib/containers/storage/vfs-containers/containers.json":                   podmans(id("c"), "db"),
		"var/lib/containers/storage/vfs-containers/volatile-containers.json":          podmans(id("d"), "passing"),
		"home/ann/.local/share/containers/storage/overlay-containers/containers.json": `[{"id":"` + id("e") + `","names":["anns"]},{"id":"` + id("b") + `","names":["mine"]}]`,
		"home/ann/.local/share/docker/containers/" + id("f") + "/config.v2.json":      `{"Name":"/anns.docker"}`,
	})
	for _, tt := range []struct{ id, cgroup, want string }{
		{id("a"), "/system.slice/docker-a.scope", "frosty_cart"},
		{id("b"), "/machine.slice/libpod-b.scope", "web"},
		{id("c"), "/libpod_parent/libpod-c", "db"},
		{id("d"), "/machine.slice/libpod-d.scope", "passing"},
		{id("e"), usersCgroup + "e.scope", "anns"},
		{id("f"), usersCgroup + "f.scope", "anns.docker"},
		// What a user's files say is believed of that user's containers alone.
		{id("e"), "/machine.slice/libpod-e.scope", ""},
		{id("b"), "/machine.slice/libpod-b.scope", "web"},
		{id("b"), usersCgroup + "b.scope", "mine"},
		{id("a"), usersCgroup + "a.scope", ""},
		{id("e"), "/user.slice/user-1001.slice/x", ""}, // no such user
		{"box", "/lxc/box", ""},
	} {
		if got := c.name(tt.id, tt.cgroup, 0); got != tt.want {
			t.Errorf("%s in %s: got %q, want %q", tt.id[:1], tt.cgroup, got, tt.want)
		}
	}
	if err := os.RemoveAll(c.root); err != nil {
		t.Fatal(err)
	}
	if got := c.name(id("a"), "/system.slice/docker-a.scope", time.Hour); got != "frosty_cart" {
		t.Errorf("what was found is forgotten: %q", got)
	}
}

// TestContainerNamesLater: one that is not found is looked for again after a time,
// and users' files are read so often at most.
func TestContainerNamesLater(t *testing.T) {
	c := host(t, nil)
	if got, late := c.find(id64, "/", 0); got != "" || late {
		t.Errorf("got %q of nothing, late: %v", got, late)
	}
	dir := filepath.Join(c.root, "var/lib/docker/containers", id64)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.v2.json"), []byte(`{"Name":"/late"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.name(id64, "/", nameForget-1); got != "" {
		t.Errorf("looked for again at once: %q", got)
	}
	if got := c.name(id64, "/", nameForget); got != "late" {
		t.Errorf("after %s: %q", nameForget, got)
	}
	// Renamed, and then removed, when its sockets are not gone yet.
	if err := os.WriteFile(filepath.Join(dir, "config.v2.json"), []byte(`{"Name":"/old"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.name(id64, "/", nameForget+nameKeep-1); got != "late" {
		t.Errorf("read again at once: %q", got)
	}
	if got := c.name(id64, "/", nameForget+nameKeep); got != "old" {
		t.Errorf("after it was renamed: %q", got)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := c.name(id64, "/", nameForget+2*nameKeep); got != "old" {
		t.Errorf("after it was removed: %q", got)
	}
	c.tries.limit = 0
	if got, late := c.find(strings.Repeat("9", 64), "/user.slice/user-1000.slice/x", time.Hour); got != "" || !late || len(c.known) != 1 {
		t.Errorf("beyond the limit: %q, %v", got, c.known)
	}
	if c.name(strings.Repeat("9", 64), "/", time.Hour); len(c.known) != 2 {
		t.Errorf("the system's, beyond the users' limit: %v", c.known)
	}
}

// TestContainerNamesHostile: a user's files may be anything.
func TestContainerNamesHostile(t *testing.T) {
	const file = "home/ann/.local/share/containers/storage/overlay-containers/containers.json"
	passwd := map[string]string{"etc/passwd": "ann:x:1000:1000::/home/ann:/bin/sh\n", filepath.Dir(file) + "/x": ""}
	make := map[string]func(path string) error{
		"a FIFO":             func(path string) error { return unix.Mkfifo(path, 0o600) },
		"a link to a file":   func(path string) error { return os.Symlink("x", path) },
		"a link to a device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"a directory":        func(path string) error { return os.Mkdir(path, 0o700) },
		"no JSON":            func(path string) error { return os.WriteFile(path, []byte("secret"), 0o600) },
		"another JSON":       func(path string) error { return os.WriteFile(path, []byte(`{"id":[1]}`), 0o600) },
		"too long": func(path string) error {
			return os.WriteFile(path, []byte("["+strings.Repeat("{},", maxUsersFile/3)+podmans(id64, "late")[1:]), 0o600)
		},
		"no names": func(path string) error { return os.WriteFile(path, []byte(`[{"id":"`+id64+`"},null]`), 0o600) },
	}
	for i, name := range append(hostile.Names, "", "a b", "-x", "../x", strings.Repeat("n", 256)) {
		make[fmt.Sprint("hostile name ", i)] = func(path string) error {
			return os.WriteFile(path, []byte(podmans(id64, name)), 0o600)
		}
	}
	for what, make := range make {
		t.Run(what, func(t *testing.T) {
			c := host(t, passwd)
			if err := make(filepath.Join(c.root, file)); err != nil {
				t.Fatal(err)
			}
			if got := c.name(id64, usersCgroup+id64+".scope", 0); got != "" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestContainerNamesDoNotWait: while a file's reading does not end, no caller waits
// but the first, and that not for long.
func TestContainerNamesDoNotWait(t *testing.T) {
	c := host(t, nil)
	c.wait = 0
	hangs := make(chan struct{})
	c.read = func(containerKey, string) map[string]string { <-hangs; return map[string]string{id64: "web"} }
	for range 2 {
		if got, late := c.find(id64, "/", 0); got != "" || !late {
			t.Errorf("got %q, late: %v", got, late)
		}
	}
	if len(c.known) != 0 {
		t.Error("it is not looked for later")
	}
	if home, _ := c.hanging(time.Hour); home != "" {
		t.Errorf("the system's files are taken for a home: %q", home)
	}
	if c.name(id64, "/", time.Hour); len(c.under) != 1 {
		t.Errorf("%d readings of the system's files", len(c.under))
	}
	close(hangs)
	c.settle(0)
	if got := c.name(id64, "/", 0); got != "web" {
		t.Errorf("after it answered: %q", got)
	}
}

// TestContainerNamesHung: a home that does not answer ends the names of those alone
// whose homes are on the same mount, one goroutine waits for it, and when it answers all
// is well again.
func TestContainerNamesHung(t *testing.T) {
	c := host(t, map[string]string{
		"etc/passwd":          "ann:x:1000:1000::/home/ann:/bin/sh\nben:x:1001:1001::/home/ben:/bin/sh\ncat:x:1002:1002::/srv/cat:/bin/sh\ndan:x:1003:1003::/mnt/dan:/bin/sh\n",
		"proc/self/mountinfo": "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / /home rw - nfs4 server:/home rw\n31 22 0:41 / /mnt rw - nfs4 server:/mnt rw\n",
	})
	hung, answers := map[string]bool{"/home/ann": true, "/home/ben": true, "/mnt/dan": true}, make(chan struct{})
	reads := make(chan string, 1)
	c.read = func(key containerKey, home string) map[string]string {
		if reads <- home; hung[home] {
			<-answers
		}
		return map[string]string{key.id: filepath.Base(home)}
	}
	user := func(uid int) string { return fmt.Sprintf("/user.slice/user-%d.slice/x", uid) }
	for _, tt := range []struct {
		uid     int
		at      time.Duration
		reads   string
		want    string
		hanging string
	}{
		{1002, 0, "/srv/cat", "cat", ""},
		{1000, 0, "/home/ann", "", ""},
		{1000, nameWait - 1, "", "", ""}, // not yet left behind
		{1001, nameWait - 1, "", "", ""},
		{1001, nameWait, "", "", ""}, // on the same mount
		{1001, nameHangs - 1, "", "", ""},
		{1001, nameHangs, "", "", "/home/ann"},
		{1002, time.Hour, "/srv/cat", "cat", "/home/ann"},
		{1000, time.Hour, "", "", "/home/ann"},
		{1003, time.Hour, "/mnt/dan", "", "/home/ann"}, // the second, and the last
		{1002, 2 * time.Hour, "", "cat", "/home/ann"},  // as it was
		{1001, 2 * time.Hour, "", "", "/home/ann"},
	} {
		if c.wait = time.Hour; hung[tt.reads] {
			c.wait = 0
		}
		got, late := c.find(strings.Repeat("a", 60)+fmt.Sprint(tt.uid), user(tt.uid), tt.at)
		read := ""
		if tt.reads != "" {
			read = <-reads
		}
		home, _ := c.hanging(tt.at)
		if got != tt.want || read != tt.reads || len(reads) > 0 || home != tt.hanging {
			t.Errorf("uid %d after %s: %q, reads %q, %q hangs; want %q, %q, %q", tt.uid, tt.at, got, read, home, tt.want, tt.reads, tt.hanging)
		}
		if late != (tt.want == "") {
			t.Errorf("uid %d after %s: late: %v", tt.uid, tt.at, late)
		}
	}
	close(answers)
	c.settle(0)
	reads = make(chan string, 9)
	clear(hung)
	for uid, want := range map[int]string{1000: "ann", 1001: "ben", 1002: "cat", 1003: "dan"} {
		if got := c.name(strings.Repeat("a", 60)+fmt.Sprint(uid), user(uid), 3*time.Hour); got != want {
			t.Errorf("after all answer: %q, want %q", got, want)
		}
	}
}

func TestMountOf(t *testing.T) {
	root := t.TempDir()
	if got := mountOf(root, "/home/ann"); got != "" {
		t.Errorf("without mountinfo: %q", got)
	}
	c := host(t, map[string]string{"proc/self/mountinfo": "22 1 8:1 / / rw - ext4 x rw\nbroken\n30 22 0:40 / /home rw - nfs4 x rw\n" +
		"33 30 0:40 / /home rw - nfs4 x rw\n34 22 0:40 / /home/a\\040b rw - nfs4 x rw\n"})
	for path, want := range map[string]string{"/": "22", "/homes": "22", "/home": "33", "/home/ann/": "33", "/home/a b/c": "34", "/home/../srv": "22"} {
		if got := mountOf(c.root, path); got != want {
			t.Errorf("%q: %q, want %q", path, got, want)
		}
	}
}

func TestIsContainerName(t *testing.T) {
	for name, want := range map[string]bool{"web": true, "A.b_c-9": true, "9": true, "_a": false, ".a": false, "-a": false, "": false, "ä": false} {
		if isContainerName(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}

func TestNames(t *testing.T) {
	o := conn.Owner{Pod: uid, Container: id64}
	var none *Names
	none.Fill(&o)
	OpenNames("", false).Fill(&o)
	if o.PodName != "" || o.ContainerName != "" {
		t.Errorf("named without being asked: %+v", o)
	}
}
