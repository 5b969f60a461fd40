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

// sizes of the terminal, in columns and rows.
var sizes = [][2]int{{80, 24}, {120, 40}, {200, 60}}

// patience is how long a screen may take to come and to stand still.
const patience = 20 * time.Second

func main() {
	katrace := flag.String("katrace", "bin/katrace", "the program")
	recording := flag.String("recording", "docs/images/incident.json", "what katrace -o json printed")
	at := flag.Duration("at", 77*time.Second, "the moment shown, counted from the recording's first event")
	dir := flag.String("dir", "docs/images", "the folder for live-COLUMNSxROWS.svg")
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
	for _, size := range sizes {
		screen, err := capture(work, size, katrace, "replay", "-o", "tui", "--speed", "0", name)
		if err != nil {
			return fmt.Errorf("%dx%d: %w", size[0], size[1], err)
		}
		file := filepath.Join(dir, fmt.Sprintf("live-%dx%d.svg", size[0], size[1]))
		if err := os.WriteFile(file, svg(screen, size[0], size[1]), 0o644); err != nil {
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

// capture is the screen of a program in a terminal of that size, with its SGR
// sequences, once it stands still. Each has a tmux
// server of its own, whose socket is in work.
func capture(work string, size [2]int, program ...string) (string, error) {
	socket := fmt.Sprintf("tmux-%dx%d", size[0], size[1])
	tmux := func(args ...string) (string, error) {
		cmd := exec.Command("tmux", append([]string{"-u", "-S", filepath.Join(work, socket), "-f", "/dev/null"}, args...)...)
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
