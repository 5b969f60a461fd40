// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"katrace/internal/events"
	"katrace/internal/lab"
	"katrace/internal/mirror"
	"katrace/internal/recording"
	"katrace/test/childtest"
)

// TestHosts: two hosts are recorded, each by a katrace of its own. Both recordings
// together say in which direction the path lost the probes, and where that cannot
// be known.
func TestHosts(t *testing.T) {
	nativeOnly(t) // there the kernel shows the probes that come (6.11 and later)
	for _, tt := range []struct {
		name       string
		translated bool
		fail       func(h *lab.Hosts, far *run) error
		want       mirror.Seen
	}{
		{"the way there", false, func(h *lab.Hosts, _ *run) error { return h.LoseOnTheWayThere() }, mirror.SeenNone},
		{"the way back", false, func(h *lab.Hosts, _ *run) error { return h.LoseOnTheWayBack() }, mirror.SeenAll},
		{"the other host has forgotten it, and its RST gets lost", false, func(h *lab.Hosts, _ *run) error {
			return errors.Join(h.LoseOnTheWayBack(), h.FarForgets())
		}, mirror.SeenNone}, // by what is recorded: --all would tell more
		{"the other host crashes", false, func(h *lab.Hosts, far *run) error {
			return errors.Join(far.cmd.Process.Kill(), h.LoseOnTheWayThere(), h.LoseOnTheWayBack())
		}, mirror.SeenUnrecorded},
		{"behind NAT", true, func(h *lab.Hosts, _ *run) error { return h.LoseOnTheWayThere() }, mirror.SeenNoEnd},
	} {
		t.Run(tt.name, func(t *testing.T) {
			beside(t)
			unlessHidden(t, func(t *testing.T) (wrong []string, lost events.Lost) {
				h, err := lab.NewHosts(tt.translated, net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3})
				if errors.Is(err, lab.ErrLacking) {
					t.Skip(err)
				}
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = h.Close() }()
				dir := t.TempDir()
				record := func(host string, netns uint32) *run {
					r := start(t, "--host", host, "--netns", fmt.Sprint(netns), "--log-file", filepath.Join(dir, host+".json"))
					r.attached()
					return r
				}
				near, far := record("near", h.Near), record("far", h.Far)
				// At least one probe is answered, and the other side tells of it.
				waitFor(t, time.Minute, "a probe that is answered", func() bool {
					return slices.ContainsFunc(far.seen(), func(e events.Event) bool { return e.Kind == events.KindProbed || e.Kind == events.KindLost }) &&
						slices.ContainsFunc(near.seen(), func(e events.Event) bool { return e.Kind == events.KindAnswer })
				})
				if err := tt.fail(h, far); err != nil {
					t.Fatal(err)
				}
				if err := h.Died(time.Minute); err != nil {
					t.Fatal(err)
				}
				lost = tallyOf(near.stop()).lost
				if far.cmd.ProcessState == nil && tt.want != mirror.SeenUnrecorded {
					lost = lost.Plus(tallyOf(far.stop()).lost)
				}
				silences := joined(t, filepath.Join(dir, "near.json"), filepath.Join(dir, "far.json"))
				want := h.Connection
				want.Host = "near"
				if len(silences) != 1 || silences[0].ID != want || silences[0].Seen != tt.want || silences[0].Probes != 3 ||
					silences[0].Closed != (tt.want == mirror.SeenNone) {
					wrong = append(wrong, fmt.Sprintf("want one silence, seen: %s; there are %+v", tt.want, silences))
					for _, s := range silences {
						wrong = append(wrong, s.Words())
					}
				}
				return wrong, lost
			})
		})
	}
}

// joined are the silences of recordings that are read together.
func joined(t *testing.T, files ...string) (all []mirror.Silence) {
	t.Helper()
	in, err := recording.Open(t.Context(), files)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	j := mirror.New()
	j.Done = func(s mirror.Silence) { all = append(all, s) }
	for {
		e, err := in.Next(t.Context())
		if errors.Is(err, io.EOF) {
			j.Finish()
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		j.Add(e)
	}
}

// TestLiveMerge: two running katraces are merged as they write, one by standard
// input and one by a shell's process substitution, as over ssh.
func TestLiveMerge(t *testing.T) {
	nativeOnly(t)
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("no bash for a process substitution")
	}
	h, err := lab.NewHosts(false, net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 3})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = h.Close() }()
	script := fmt.Sprintf(`%[1]s -o json --attach %[2]s --host near --netns %[3]d 2>/dev/null | %[1]s replay -o text --speed 0 - <(%[1]s -o json --attach %[2]s --host far --netns %[4]d 2>/dev/null)`,
		*program, anyBackend(), h.Near, h.Far)
	cmd := exec.Command("bash", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := &childtest.Buffer{}
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
	})
	waitFor(t, 2*time.Minute, "both hosts", func() bool {
		s := out.String()
		return strings.Contains(s, " probe        near ") && strings.Contains(s, " probed       far  ")
	})
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if !slices.IsSorted(lines) { // each begins with its time
		t.Errorf("not in order:\n%s", out)
	}
}
