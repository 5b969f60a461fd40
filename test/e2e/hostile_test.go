// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/test/childtest"
)

// hostileNames are what processes may call themselves: up to 15 bytes, any but NUL.
var hostileNames = []string{
	"esc\x1b[2J\x1b]0;x\a",    // clears the screen, sets the title
	"nl\nb\r\tc",              // begins a line of its own
	"c1\u009b31m\x9b31m",      // C1 controls, as UTF-8 and as a byte
	"bidi\u202egnp\u2066",     // turns the writing direction
	"u8\xff\xfe\xc0\x80\xed",  // no UTF-8
	"q\"},{\"v\":2\\",         // ends a JSON string
	"del\x7f\x01\x02\b\b\b\b", // other controls
}

// hostileCgroup is a cgroup's name. A newline is refused by the kernel
// (cgroup_mkdir); the rest of 255 bytes is taken.
const hostileCgroup = "..cg\x1b[2J\u009b\xff\u202e\"}\\ \t\x7f"

// TestHostileNames: processes with hostile names hold sockets whose keepalive
// is at work, in a cgroup with a hostile name. Every output shows them, and
// none shows a character that a terminal would act on.
func TestHostileNames(t *testing.T) {
	skipInGuest(t)
	cgroup, path := makeHostileCgroup(t)
	asJSON := start(t, "--addr", holderNetwork())
	by, _, _ := strings.Cut(*backend, ",")
	text := command("-o", "text", "--attach", by, "--addr", holderNetwork())
	stdout, stderr := &childtest.Buffer{}, &childtest.Buffer{}
	text.Stdout, text.Stderr = stdout, stderr
	if err := text.Start(); err != nil {
		t.Fatal(err)
	}
	live := command("-o", "tui", "--attach", by, "--addr", holderNetwork())
	// A locale without UTF-8: what is not ASCII is drawn as a question mark.
	live.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C", "NO_COLOR=1")
	keys, drawn := onTerminal(t, live, 200, 50)
	waitFor(t, 2*time.Minute, "katrace to attach", func() bool {
		return strings.Contains(stderr.String(), "attached by") && strings.Contains(drawn.String(), "katrace")
	})

	names := map[uint16]string{} // by local port
	told := func(name string) bool {
		return strings.Contains(stdout.String(), " "+conn.Safe(name)+"[") && strings.Contains(drawn.String(), asciiSafe(name)+"[") &&
			slices.ContainsFunc(asJSON.seen(), func(e events.Event) bool { return e.Process.Comm == string([]rune(name)) })
	}
	left := hostileNames
	// Again where katrace itself reported that the kernel ran no program for a firing.
	for try := range lab.Stagings {
		if len(left) == 0 || try > 0 && tallyOf(asJSON.seen()).lost.Missed == 0 {
			break
		}
		for _, name := range left {
			names[startHolder(t, lasting(holder(name, cgroup)))] = name
		}
		if try == 0 {
			checkHostileList(t, names)
		}
		for end := time.Now().Add(time.Minute); len(left) > 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
			left = slices.DeleteFunc(slices.Clone(left), told)
		}
	}
	if len(left) > 0 {
		t.Errorf("not named by every output: %q", left)
	}
	press(t, keys, "\r") // the first connection's story, which names its cgroup
	if path != "" {
		waitFor(t, time.Minute, "the live view to show the cgroup", func() bool {
			return strings.Contains(drawn.String(), asciiSafe(hostileCgroup))
		})
	}
	press(t, keys, "q")
	press(t, keys, "q")
	if err := live.Wait(); err != nil {
		t.Errorf("the live view: %v", err)
	}
	checkHostileStream(t, asJSON, names, path)

	if err := text.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := text.Wait(); err != nil {
		t.Errorf("katrace -o text: %v; it said %s", err, stderr)
	}
	checkPrinting(t, "the text stream", stdout.String())
	checkDrawn(t, drawn.String(), append([]string{hostileCgroup}, hostileNames...))
}

// makeHostileCgroup makes the cgroup, below which there is another one with
// the longest name there is, and returns the inner one's directory and path;
// "" where cgroup v2 is not mounted.
func makeHostileCgroup(t *testing.T) (dir, path string) {
	t.Helper()
	for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		if _, err := os.Stat(mount + "/cgroup.procs"); err != nil {
			continue
		}
		outer := filepath.Join(mount, hostileCgroup)
		path = "/" + hostileCgroup + "/" + strings.Repeat("x", 255)
		dir = mount + path
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			waitFor(t, time.Minute, "the cgroup to be empty", func() bool { return os.Remove(dir) == nil })
			_ = os.Remove(outer)
		})
		return dir, path
	}
	t.Log("no cgroup v2 here: names of processes only")
	return "", ""
}

func press(t *testing.T, keys *os.File, key string) {
	t.Helper()
	if _, err := keys.WriteString(key); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
}

func checkHostileStream(t *testing.T, r *run, names map[uint16]string, path string) {
	t.Helper()
	r.stop()
	for i, e := range r.seen() {
		name := names[e.Local.Port()]
		if name == "" {
			continue
		}
		checkPrinting(t, "the JSON stream", string(r.lines[i]))
		// Who holds a new socket may be looked for still when its first event comes.
		if want := string([]rune(name)); e.Process.PID != 0 && e.Process.Comm != want {
			t.Errorf("%q: comm %q, want %q", name, e.Process.Comm, want)
		}
		if want := string([]rune(path)); path != "" && e.Cgroup != want {
			t.Errorf("%q: cgroup %q, want %q", name, e.Cgroup, want)
		}
	}
}

func checkHostileList(t *testing.T, names map[uint16]string) {
	t.Helper()
	for _, output := range []string{"table", "json"} {
		out, errs, status := katrace(t, "list", "-o", output, "--addr", holderNetwork())
		if status != 0 {
			t.Fatalf("list: status %d: %s", status, errs)
		}
		checkPrinting(t, "list -o "+output, out)
		for port, name := range names {
			want := conn.Safe(name) + "["
			if output == "json" {
				want = string(conn.AppendString([]byte(`"comm":`), name))
			}
			if !strings.Contains(out, want) {
				t.Errorf("list -o %s does not name %q (port %d) as %s", output, name, port, want)
			}
		}
	}
}

// checkPrinting: UTF-8, and but for newlines nothing that a terminal acts on
// or does not show.
func checkPrinting(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s is not UTF-8", what)
	}
	for _, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Errorf("%s has %U", what, r)
			return
		}
	}
}

// checkDrawn: the live view moves the cursor by sequences of its own, but what
// it draws has nothing of the names that is not printable ASCII.
func checkDrawn(t *testing.T, drawn string, hostile []string) {
	t.Helper()
	for i := range len(drawn) {
		if drawn[i] >= 0x7f {
			t.Errorf("the live view draws the byte %#x", drawn[i])
			break
		}
	}
	for _, name := range hostile {
		if asciiSafe(name) != name && strings.Contains(drawn, name) {
			t.Errorf("the live view draws %q", name)
		}
	}
	for _, sequence := range []string{"\x1b]0;x", "\nb\r\tc", "\x01"} {
		if strings.Contains(drawn, sequence) {
			t.Errorf("the live view draws %q", sequence)
		}
	}
}

// asciiSafe is how a terminal without UTF-8 is shown a name.
func asciiSafe(name string) string {
	var b bytes.Buffer
	for _, r := range name {
		if r < ' ' || r >= 0x7f {
			r = '?'
		}
		fmt.Fprintf(&b, "%c", r)
	}
	return b.String()
}
