// SPDX-License-Identifier: BSD-2-Clause

// Command pictures makes the pictures of the live view, from real recordings:
// katrace replays a part of one inside tmux, and what stands on the screen is
// written as SVG. It is replayed at once and its clock is its last event's time,
// so the same recording gives the same pictures.
//
//	go run ./scripts/pictures -katrace bin/katrace -dir docs/images
package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A picture shows a part of a recording, of which the last event's moment is the
// picture's. Both times count from the recording's first event.
type picture struct {
	name      string
	recording string
	from, at  time.Duration
	size      [2]int // of the terminal: columns, rows
	keys      []string
}

// pictures are named NAME-COLUMNSxROWS.svg, and made after these keys.
func pictures() (all []picture) {
	const scene, outages = "incident.json", "outages.json.gz"
	one := func(name string, columns, rows int, keys ...string) picture {
		return picture{name, scene, 0, 77 * time.Second, [2]int{columns, rows}, keys}
	}
	all = []picture{
		one("live", 80, 24), one("live", 120, 40), one("live", 200, 60),
		one("detail", 120, 40, "j", "j", "j", "j", "j", "Enter"), // the first one after four that have ended
	}
	for _, o := range []picture{ // scripts/stage/outages.go
		{name: "host", from: 0, at: 110 * time.Second},
		{name: "frozen", from: 140 * time.Second, at: 212 * time.Second},
		{name: "flap", from: 165 * time.Second, at: 265 * time.Second, keys: []string{"t"}},
		{name: "router", from: 295 * time.Second, at: 415 * time.Second, keys: []string{"t"}},
	} {
		o.recording = outages
		for _, o.size = range [][2]int{{80, 24}, {120, 40}} {
			all = append(all, o)
		}
	}
	return all
}

// patience is how long a screen may take to come and to stand still.
const patience = 20 * time.Second

func main() {
	katrace := flag.String("katrace", "bin/katrace", "the program")
	dir := flag.String("dir", "docs/images", "the folder of the recordings, and for NAME-COLUMNSxROWS.svg")
	flag.Parse()
	if err := run(*katrace, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(katrace, dir string) error {
	katrace, err := filepath.Abs(katrace)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	for _, p := range pictures() {
		name := strings.TrimSuffix(p.recording, ".gz") // the header shows it
		if err := p.cut(filepath.Join(dir, p.recording), filepath.Join(work, name)); err != nil {
			return err
		}
		title := fmt.Sprintf("%s-%dx%d", p.name, p.size[0], p.size[1])
		screen, err := capture(filepath.Join(work, title), work, p.size, p.keys, katrace, "replay", "-o", "tui", "--speed", "0", name)
		if err != nil {
			return fmt.Errorf("%s: %w", title, err)
		}
		if err := os.WriteFile(filepath.Join(dir, title+".svg"), svg(screen, p.size[0], p.size[1]), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// cut copies the picture's part of a recording.
func (p *picture) cut(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	recording := io.Reader(in)
	if strings.HasSuffix(from, ".gz") {
		if recording, err = gzip.NewReader(in); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
	var out strings.Builder
	var first time.Time
	lines := bufio.NewScanner(recording)
	for lines.Scan() {
		var e struct {
			Time time.Time `json:"time"`
		}
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return fmt.Errorf("%s: %w", from, err)
		}
		if first.IsZero() {
			first = e.Time
		}
		if after := e.Time.Sub(first); p.from <= after && after <= p.at {
			out.WriteString(lines.Text() + "\n")
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	return os.WriteFile(to, []byte(out.String()), 0o644)
}

// capture is the screen of a program in a terminal of that size after some
// keys, with its SGR sequences, once it stands still. Each has a tmux server of
// its own, with that socket; the program runs in the folder work.
func capture(socket, work string, size [2]int, keys []string, program ...string) (string, error) {
	tmux := func(args ...string) (string, error) {
		cmd := exec.Command("tmux", append([]string{"-u", "-S", socket, "-f", "/dev/null"}, args...)...)
		cmd.Dir = work
		out, err := cmd.CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("tmux %s: %w: %s", args[0], err, out)
		}
		return string(out), nil
	}
	// Inside tmux katrace would ask it for its colours; it shows all of them.
	command := append([]string{"env", "-u", "TMUX", "-u", "NO_COLOR", "TERM=xterm-256color", "COLORTERM=truecolor", "LC_ALL=C.UTF-8"}, program...)
	start := []string{"start-server", ";", "set", "-g", "status", "off", ";",
		"new-session", "-d", "-x", fmt.Sprint(size[0]), "-y", fmt.Sprint(size[1])}
	if _, err := tmux(append(start, command...)...); err != nil {
		return "", err
	}
	defer func() { _, _ = tmux("kill-server") }()

	screen, err := still(tmux)
	for _, key := range keys {
		if err != nil {
			break
		}
		if _, err = tmux("send-keys", key); err == nil {
			screen, err = still(tmux)
		}
	}
	return screen, err
}

// still is the screen once it has not changed for two seconds.
func still(tmux func(...string) (string, error)) (string, error) {
	last, same := "", 0
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		screen, err := tmux("capture-pane", "-p", "-e", "-N")
		if err != nil {
			return "", err
		}
		if screen != last || strings.TrimSpace(screen) == "" {
			last, same = screen, 0
			continue
		}
		if same++; same == 10 {
			return screen, nil
		}
	}
	return "", errors.New("the screen does not stand still")
}
