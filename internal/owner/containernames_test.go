// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"fmt"
	"os"
	"path/filepath"
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
	return newContainerNames(root)
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
		if got := c.find(tt.id, tt.cgroup, 0); got != tt.want {
			t.Errorf("%s in %s: got %q, want %q", tt.id[:1], tt.cgroup, got, tt.want)
		}
	}
	if err := os.RemoveAll(c.root); err != nil {
		t.Fatal(err)
	}
	if got := c.find(id("a"), "/system.slice/docker-a.scope", time.Hour); got != "frosty_cart" {
		t.Errorf("what was found is forgotten: %q", got)
	}
}

// TestContainerNamesLater: one that is not found is looked for again after a time,
// and files are read so often at most.
func TestContainerNamesLater(t *testing.T) {
	c := host(t, nil)
	if got := c.find(id64, "/", 0); got != "" {
		t.Errorf("got %q of nothing", got)
	}
	dir := filepath.Join(c.root, "var/lib/docker/containers", id64)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.v2.json"), []byte(`{"Name":"/late"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := c.find(id64, "/", nameForget-1); got != "" {
		t.Errorf("looked for again at once: %q", got)
	}
	if got := c.find(id64, "/", nameForget); got != "late" {
		t.Errorf("after %s: %q", nameForget, got)
	}
	c.tries.limit = 0
	if got := c.find(strings.Repeat("9", 64), "/", time.Hour); got != "" || len(c.known) != 1 {
		t.Errorf("beyond the limit: %q, %v", got, c.known)
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
		"no names":           func(path string) error { return os.WriteFile(path, []byte(`[{"id":"`+id64+`"},null]`), 0o600) },
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
			if got := c.find(id64, usersCgroup+id64+".scope", 0); got != "" {
				t.Errorf("got %q", got)
			}
		})
	}
}

// TestContainerNamesDoNotWait: while a file's reading does not end, no caller waits
// but the first, and that not for long.
func TestContainerNamesDoNotWait(t *testing.T) {
	c := host(t, nil)
	c.busy = true
	if got := c.find(id64, "/", 0); got != "" {
		t.Errorf("got %q", got)
	}
	if len(c.known) != 0 {
		t.Error("it is not looked for later")
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
