// SPDX-License-Identifier: BSD-2-Clause

package recording

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"katrace/internal/events"
)

// midnight is when the recordings of the tests begin.
var midnight = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

// line is a line of a recording, so many seconds after midnight.
func line(kind events.Kind, second float64, host string) string {
	e := events.Event{Time: midnight.Add(time.Duration(second * float64(time.Second))), Kind: kind}
	e.Host = host
	return string(events.AppendJSON(nil, &e)) + "\n"
}

// told writes an event as "second host", with its kind where it is no probe.
func told(e *events.Event) string {
	s := fmt.Sprint(e.Time.Sub(midnight).Seconds())
	if e.Host != "" {
		s += " " + e.Host
	}
	if e.Kind != events.KindProbe {
		s += " " + e.Kind.String()
	}
	return s
}

// all reads what there is.
func all(t *testing.T, r *Reader) (said []string) {
	t.Helper()
	defer r.Close()
	for {
		e, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			return said
		}
		if err != nil {
			return append(said, err.Error())
		}
		said = append(said, told(e))
	}
}

// stored are recordings in files.
func stored(texts ...string) (files []*file) {
	for i, text := range texts {
		files = append(files, &file{name: fmt.Sprint(i), in: strings.NewReader(text), close: func() {}})
	}
	return files
}

func probes(seconds ...float64) (text string) {
	for _, s := range seconds {
		text += line(events.KindProbe, s, "")
	}
	return text
}

func want(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n%q, want\n%q", what, got, want)
	}
}

// TestMerge: by time, each recording in its own order.
func TestMerge(t *testing.T) {
	many := make([]float64, 3*batchSize)
	var wantMany []string
	for i := range many {
		many[i] = float64(2 * i)
		wantMany = append(wantMany, fmt.Sprint(2*i), fmt.Sprint(2*i+1))
	}
	odd := slices.Clone(many)
	for i := range odd {
		odd[i]++
	}
	for _, tt := range []struct {
		name string
		in   []string
		want []string
	}{
		{"none", []string{"", ""}, nil},
		{"one", []string{probes(1, 3, 2)}, []string{"1", "3", "2"}},
		{"two", []string{probes(1, 4), probes(2, 3, 5)}, []string{"1", "2", "3", "4", "5"}},
		{"one is empty", []string{"", probes(1, 2)}, []string{"1", "2"}},
		{"one after the other", []string{probes(3, 4), probes(1, 2)}, []string{"1", "2", "3", "4"}},
		{"at the same time, as they are given", []string{line(events.KindProbe, 1, "a"), line(events.KindProbe, 1, "b")}, []string{"1 a", "1 b"}},
		{"more than a batch", []string{probes(many...), probes(odd...)}, wantMany},
		{"damage between", []string{"x\n" + probes(1, 4) + "y\n", "z\n" + probes(2)}, []string{"1", "2", "4"}},
		{"nothing but damage", []string{"x\n", "y\nz\n"}, []string{"0, 1: no line of a katrace stream (3 damaged lines)"}},
	} {
		want(t, tt.name, all(t, open(t.Context(), stored(tt.in...))), tt.want...)
	}
}

// TestMergeOutOfOrder: a recording that is not in order stays as it is, and that is
// said.
func TestMergeOutOfOrder(t *testing.T) {
	r := open(t.Context(), stored(probes(1, 2, 1.5, 9, 3, 4), probes(2.5, 8)))
	want(t, "out of order", all(t, r), "1", "2", "1.5", "2.5", "8", "9", "3", "4")
	if got := r.Troubles(); len(got) != 1 || got[0].Name != "0" || got[0].Back != 1 {
		t.Errorf("told: %+v", got)
	}
	r = open(t.Context(), stored(probes(9, 3)))
	all(t, r)
	if got := r.Troubles(); len(got) != 1 || got[0].Back != 1 {
		t.Errorf("one recording alone: %+v", got)
	}
}

// TestDamaged: counted for each recording, and the first of each told at once.
func TestDamaged(t *testing.T) {
	r := open(t.Context(), stored("x\ny\n"+probes(1), probes(2)+"z\n"))
	var said []string
	r.Damaged = func(name string, err error) { said = append(said, name+": "+err.Error()[:7]) }
	all(t, r)
	want(t, "told", said, "0: line 1:", "1: line 2:"[:10])
	for i, n := range []int{2, 1} {
		if got := r.Troubles()[i]; got.Damaged != n || got.First == nil {
			t.Errorf("recording %d: %+v, want %d", i, got, n)
		}
	}
}

// TestHosts: lines that name no host are of that which their recording's start
// names, where there are several hosts.
func TestHosts(t *testing.T) {
	start := func(at float64, host string) string { return line(events.KindStart, at, host) }
	for _, tt := range []struct {
		name string
		in   []string
		want []string
	}{
		{"one recording", []string{start(0, "a") + probes(1)}, []string{"0 a start", "1"}},
		{"two hosts", []string{start(0, "a") + probes(2), start(1, "b") + probes(3)}, []string{"0 a start", "1 b start", "2 a", "3 b"}},
		{"from the first line on", []string{start(0, "a") + probes(1), start(2, "b") + probes(3)}, []string{"0 a start", "1 a", "2 b start", "3 b"}},
		{"one host, whose log was rotated", []string{probes(2, 3), start(0, "a") + probes(1)}, []string{"0 a start", "1", "2", "3"}},
		{"one that says it in each line", []string{start(0, "a") + probes(2), line(events.KindProbe, 1, "b")}, []string{"0 a start", "1 b", "2 a"}},
		{"recordings of old", []string{probes(1), probes(2)}, []string{"1", "2"}},
	} {
		want(t, tt.name, all(t, open(t.Context(), stored(tt.in...))), tt.want...)
	}
}

// TestTwoAtOnce: where katrace ran twice at a time, or two hosts have the same name,
// the second start is no sign of a crash; after the first one's end it is.
func TestTwoAtOnce(t *testing.T) {
	start := func(at float64) string { return line(events.KindStart, at, "a") }
	beat := func(at float64) string { return line(events.KindHeartbeat, at, "") }
	for _, tt := range []struct {
		in   []string
		gaps int
	}{
		{[]string{start(0) + beat(60) + beat(120), start(20) + beat(80)}, 0},
		{[]string{start(0) + beat(60), start(70) + beat(80)}, 1},
		{[]string{start(0) + beat(60) + start(90), start(70) + beat(80)}, 2},
	} {
		r := open(t.Context(), stored(tt.in...))
		all(t, r)
		if got := r.Coverage().Host("a").Gaps; len(got) != tt.gaps {
			t.Errorf("%q: %v", tt.in, got)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		w, files := pipes(2)
		r := open(t.Context(), files)
		go func() {
			for i, w := range w {
				_, _ = io.WriteString(w, start(float64(20*i)))
			}
			time.Sleep(time.Hour)
			for _, w := range w {
				_ = w.Close()
			}
		}()
		all(t, r)
		if got := r.Coverage().Host("a").Gaps; len(got) != 0 {
			t.Errorf("two pipes: %v", got)
		}
	})
}

// TestCompressed: recordings are read as they are, also several that were put
// together, and what is left of one that is cut off.
func TestCompressed(t *testing.T) {
	text := probes(1) + probes(2)
	var z bytes.Buffer
	zip := gzip.NewWriter(&z)
	_, _ = io.WriteString(zip, text)
	_ = zip.Close()
	zipped := slices.Clone(z.Bytes())
	z.Reset()
	zs, err := zstd.NewWriter(&z)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(zs, text)
	_ = zs.Close()
	zstded := z.Bytes()
	for _, tt := range []struct {
		name string
		in   []byte
		want []string
	}{
		{"plain", []byte(text), []string{"1", "2"}},
		{"gzip", zipped, []string{"1", "2"}},
		{"gzip, twice", slices.Concat(zipped, zipped), []string{"1", "2", "1", "2"}},
		{"zstd", zstded, []string{"1", "2"}},
		{"zstd, twice", slices.Concat(zstded, zstded), []string{"1", "2", "1", "2"}},
		{"short", []byte("x"), []string{"short: no line of a katrace stream (1 damaged line)"}},
	} {
		want(t, tt.name, all(t, Of(t.Context(), tt.name, bytes.NewReader(tt.in))), tt.want...)
		want(t, tt.name+", byte by byte", all(t, Of(t.Context(), tt.name, iotest.OneByteReader(bytes.NewReader(tt.in)))), tt.want...)
	}
	for name, in := range map[string][]byte{"gzip": zipped, "zstd": zstded} {
		r := Of(t.Context(), name, bytes.NewReader(slices.Concat(in, in[:len(in)-6])))
		got := all(t, r)
		if len(got) < 2 || got[0] != "1" || got[1] != "2" || len(r.Troubles()) != 1 {
			t.Errorf("%s, cut off: %q, %+v", name, got, r.Troubles())
		}
		broken := slices.Clone(in)
		broken[len(broken)-5] ^= 1
		if got := all(t, Of(t.Context(), name, bytes.NewReader(broken))); len(got) == 0 || !strings.Contains(got[len(got)-1], name+": ") {
			t.Errorf("%s, broken: %q", name, got)
		}
	}
}

// TestOpen: files by their names, and what cannot be opened.
func TestOpen(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for name, text := range map[string]string{a: probes(1, 3), b: probes(2)} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Open(t.Context(), []string{a, b})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "two files", all(t, r), "1", "2", "3")
	if _, err := Open(t.Context(), []string{a, filepath.Join(dir, "none")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("one that is not there: %v", err)
	}
	again := filepath.Join(dir, "link")
	if err := os.Link(a, again); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), []string{a, b, again}); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("one that is there twice: %v", err)
	}
	broken := errors.New("input/output error")
	want(t, "a read error", all(t, Of(t.Context(), "x", io.MultiReader(strings.NewReader(probes(1)), iotest.ErrReader(broken)))), "1", "x: after line 1: input/output error")
}

// pipes are recordings that are being written, at times that the test decides.
func pipes(n int) (writers []*io.PipeWriter, files []*file) {
	for i := range n {
		r, w := io.Pipe()
		writers = append(writers, w)
		files = append(files, &file{name: fmt.Sprint(i), in: r, waits: true, close: func() { _ = r.Close() }})
	}
	return writers, files
}

// TestPipes: what is still being written is merged, and a pipe that is quiet holds
// the others up for a bounded time only; none at all for what its latest line
// came after.
func TestPipes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, files := pipes(2)
		ctx, stop := context.WithCancel(t.Context())
		r := open(ctx, files)
		idle := 0
		r.Idle = func() error { idle++; return nil }
		began := time.Now()
		var got []string
		done := make(chan error, 1)
		go func() {
			for {
				e, err := r.Next(ctx)
				if err != nil {
					done <- err
					return
				}
				got = append(got, fmt.Sprintf("%s at %s", told(e), time.Since(began)))
			}
		}()
		for _, s := range []struct {
			at   time.Duration
			pipe int
			text string
		}{
			{0, 0, probes(1)},                                         // the other has not begun: 10s
			{3 * time.Second, 1, probes(0.5, 2)},                      // it has
			{20 * time.Second, 0, probes(3)},                          // it is quiet: 2s
			{30 * time.Second, 0, probes(4)},                          // it is quiet: 2s
			{31 * time.Second, 1, probes(3.5)},                        // not so quiet: it comes first
			{40 * time.Second, 1, line(events.KindHeartbeat, 60, "")}, // waits itself
			{50 * time.Second, 0, probes(10)},                         // it has been said that nothing comes before
			{51 * time.Second, 0, probes(11)},
			{60 * time.Second, 1, probes(12)}, // comes late
		} {
			time.Sleep(s.at - time.Since(began))
			_, _ = io.WriteString(w[s.pipe], s.text)
		}
		time.Sleep(time.Minute)
		stop()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		r.Close()
		want(t, "pipes", got, "0.5 at 3s", "1 at 3s", "2 at 5s", "3 at 22s", "3.5 at 31s", "4 at 33s", "60 heartbeat at 42s",
			"10 at 50s", "11 at 51s", "12 at 1m2s")
		if idle == 0 {
			t.Error("it waited, and did not say so")
		}
		for _, w := range w {
			_ = w.Close()
		}
	})
}

// TestQuietPipe: one that gives nothing at all holds the others up once.
func TestQuietPipe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, files := pipes(1)
		r := open(t.Context(), append(files, stored(probes(1, 2, 3))...))
		began := time.Now()
		want(t, "beside a quiet pipe", first(t, r, 3), "1", "2", "3")
		if took := time.Since(began); took != firstWait {
			t.Errorf("after %s, want %s", took, firstWait)
		}
		_ = w[0].Close()
		r.Close()
		synctest.Wait()
	})
}

// TestFilesAreWaitedFor: a stored recording is never out of order because its disk
// is slow.
func TestFilesAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, files := pipes(2)
		files[1].waits = false
		r := open(t.Context(), files)
		go func() {
			_, _ = io.WriteString(w[0], probes(1))
			time.Sleep(time.Hour)
			_, _ = io.WriteString(w[1], probes(0))
			_ = w[1].Close()
			_ = w[0].Close()
		}()
		want(t, "a slow disk", all(t, r), "0", "1")
	})
}

// TestWhatComesMeanwhile: a line that comes while the next event is being chosen is
// not overtaken by a later one.
func TestWhatComesMeanwhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, files := pipes(2)
		files[1].waits = false
		r := open(t.Context(), files)
		_, _ = io.WriteString(w[0], probes(1))
		synctest.Wait() // that line is there, and the other recording has none yet
		wrote := false
		r.now = func() time.Time {
			if !wrote {
				wrote = true
				_, _ = io.WriteString(w[1], probes(0))
				synctest.Wait()
			}
			return time.Now()
		}
		go func() {
			time.Sleep(time.Hour)
			for _, w := range w {
				_ = w.Close()
			}
		}()
		want(t, "meanwhile", all(t, r), "0", "1")
	})
}

// first reads so many events.
func first(t *testing.T, r *Reader, n int) (said []string) {
	t.Helper()
	for range n {
		e, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, told(e))
	}
	return said
}

// TestUnknown: lines of a later version are counted apart from damaged ones, once each
// while others are waited for, and one is enough for a recording.
func TestUnknown(t *testing.T) {
	at := func(kind, more string) string {
		return `{"v":1,"time":"2026-11-22T00:00:01Z","event":"` + kind + `"` + more + "}\n"
	}
	unknown := at("strange", "")
	for _, tt := range []struct {
		text             string
		said             []string
		unknown, damaged int
	}{
		{unknown, nil, 1, 0},
		{unknown + "damaged\n", nil, 1, 1},
		{unknown + at("probe", `,"verdict":"strange"`) + "damaged\n" + probes(2), []string{"1", "2"}, 2, 1},
	} {
		r := open(t.Context(), stored(tt.text, probes(3)))
		r.Damaged = func(_ string, err error) {
			if strings.Contains(err.Error(), "strange") {
				t.Errorf("called damaged: %v", err)
			}
		}
		want(t, tt.text, all(t, r), append(tt.said, "3")...)
		troubles := r.Troubles()
		if len(troubles) != 1 || troubles[0].Unknown != tt.unknown || troubles[0].Damaged != tt.damaged || !strings.HasPrefix(troubles[0].Newer.Error(), `line 1: unknown kind "strange"`) {
			t.Errorf("%q: %+v", tt.text, troubles)
		}
	}
}
