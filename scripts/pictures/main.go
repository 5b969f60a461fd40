// SPDX-License-Identifier: BSD-2-Clause

// Command pictures makes the README's pictures of the live view, from a real
// recording: katrace replays it inside tmux, and what stands on the screen is
// written as SVG. The recording is replayed at once and its clock is its last
// event's time, so the same recording gives the same pictures.
//
//	go run ./scripts/pictures -katrace bin/katrace -recording docs/images/incident.json -dir docs/images
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pictures are named for the terminal's size, in columns and rows, and made
// after these keys.
var pictures = []struct {
	name string
	size [2]int
	keys []string
}{
	{"live", [2]int{80, 24}, nil},
	{"live", [2]int{120, 40}, nil},
	{"live", [2]int{200, 60}, nil},
	{"detail", [2]int{120, 40}, []string{"j", "j", "j", "j", "j", "Enter"}}, // the first one after four that have ended
}

// patience is how long a screen may take to come and to stand still.
const patience = 20 * time.Second

func main() {
	katrace := flag.String("katrace", "bin/katrace", "the program")
	recording := flag.String("recording", "docs/images/incident.json", "what katrace -o json printed")
	at := flag.Duration("at", 77*time.Second, "the moment shown, counted from the recording's first event")
	dir := flag.String("dir", "docs/images", "the folder for NAME-COLUMNSxROWS.svg")
	flag.Parse()
	if err := run(*katrace, *recording, *at, *dir); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func run(katrace, recording string, at time.Duration, dir string) error {
	katrace, err := filepath.Abs(katrace)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "pictures")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	name := filepath.Base(recording) // the header shows it
	if err := cut(recording, filepath.Join(work, name), at); err != nil {
		return err
	}
	for _, p := range pictures {
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

// cut copies a recording's events up to the moment at.
func cut(from, to string, at time.Duration) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	var out strings.Builder
	var first time.Time
	lines := bufio.NewScanner(in)
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
		if e.Time.Sub(first) <= at {
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
