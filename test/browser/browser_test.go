// SPDX-License-Identifier: BSD-2-Clause

// Package browser looks at the report's page in Chromium: what it shows at the
// width of a screen and of a telephone, in light and dark and printed, and that it
// asks the network for nothing.
//
//	make test-report
//
// With -shots DIR the screenshots are kept, to be looked at.
package browser

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	program = flag.String("katrace", "", "the program to test")
	shots   = flag.String("shots", "", "keep the screenshots in this directory")
)

const recording = "../../docs/images/incident.json"

func TestMain(m *testing.M) {
	flag.Parse()
	if *program == "" {
		fmt.Fprintln(os.Stderr, "name the program to test: make test-report")
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// pageOf is the report of the recording with one program renamed.
func pageOf(t *testing.T, comm string) []byte {
	t.Helper()
	text, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(*program, "report", "-o", "html", "-")
	cmd.Stdin = bytes.NewReader(bytes.ReplaceAll(text, []byte(`"comm":"nginx"`), []byte(`"comm":"`+comm+`"`)))
	cmd.Stderr = os.Stderr
	page, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// visit has Chromium show a page, with all requests led to this test, and returns
// its standard output and the requests.
func visit(t *testing.T, page []byte, args ...string) (out []byte, requests []string) {
	t.Helper()
	var mu sync.Mutex
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		requests = append(requests, r.URL.String())
		mu.Unlock()
		if r.URL.String() != address {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write(page)
	}))
	defer proxy.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "chromium", append([]string{
		"--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir=" + t.TempDir(), "--proxy-server=" + proxy.URL,
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run", "--disable-extensions"}, append(args, address)...)...)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("chromium: %v\n%s", err, &errs)
	}
	mu.Lock()
	defer mu.Unlock()
	return out, slices.DeleteFunc(requests, func(r string) bool { return r == address || r == address+"favicon.ico" || own(r) })
}

const address = "http://report.example/"

// own is a request of Chromium itself, whatever the page: for the time, or a
// connection (CONNECT).
func own(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (strings.HasSuffix(u.Hostname(), ".google.com") || strings.HasSuffix(u.Hostname(), ".googleapis.com"))
}

// TestPage: the text is there, a program's name is text, and nothing else is asked for.
func TestPage(t *testing.T) {
	dom, requests := visit(t, pageOf(t, `<img src=http://evil.example/x onerror=alert(1)>`), "--dump-dom")
	if len(requests) > 0 {
		t.Errorf("the page asks for %q", requests)
	}
	for _, want := range []string{"Of 18 connections with an event, 9 connections died", "Deaths by cause", "&lt;img src=http://evil.example/x onerror=alert(1)&gt;[172]", "half within"} {
		if !bytes.Contains(dom, []byte(want)) {
			t.Errorf("the page does not say %q:\n%s", want, dom)
		}
	}
	if bytes.Contains(dom, []byte("<img")) {
		t.Error("a name became an element")
	}
}

// TestRequestsAreSeen: a page that asks for something is found out.
func TestRequestsAreSeen(t *testing.T) {
	_, requests := visit(t, []byte(`<!DOCTYPE html><img src="http://evil.example/x">`), "--dump-dom")
	if !slices.Equal(requests, []string{"http://evil.example/x"}) {
		t.Errorf("requests: %q", requests)
	}
}

// TestScreens: the page is drawn at the width of a screen and of a telephone, in
// light and dark, and nothing sticks out at the side.
func TestScreens(t *testing.T) {
	page := pageOf(t, "nginx")
	for _, width := range []int{1280, 390} {
		for _, dark := range []bool{false, true} {
			name := fmt.Sprintf("report-%d-%s.png", width, map[bool]string{false: "light", true: "dark"}[dark])
			t.Run(name, func(t *testing.T) {
				dir := *shots
				if dir == "" {
					dir = t.TempDir()
				}
				path, err := filepath.Abs(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				scheme := 1
				if dark {
					scheme = 0
				}
				visit(t, page, fmt.Sprintf("--window-size=%d,3600", width), "--screenshot="+path, fmt.Sprintf("--blink-settings=preferredColorScheme=%d", scheme))
				f, err := os.Open(path)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = f.Close() }()
				shot, err := png.Decode(f)
				if err != nil {
					t.Fatal(err)
				}
				if shot.Bounds().Dx() != width {
					t.Errorf("%d pixels wide", shot.Bounds().Dx())
				}
				// The margins have the paper's colour from top to bottom, in each scheme another one.
				paper := shot.At(0, 0)
				if r, _, _, _ := paper.RGBA(); (r < 0x8000) != dark {
					t.Errorf("the paper is %v", paper)
				}
				drawn := false
				for y := range shot.Bounds().Dy() {
					if shot.At(1, y) != paper || shot.At(width-2, y) != paper {
						t.Fatalf("something sticks out at line %d", y)
					}
					drawn = drawn || shot.At(width/2, y) != paper
				}
				if !drawn {
					t.Error("nothing is drawn")
				}
			})
		}
	}
}

// TestPrint: it prints.
func TestPrint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.pdf")
	if *shots != "" {
		path, _ = filepath.Abs(filepath.Join(*shots, "report.pdf"))
	}
	visit(t, pageOf(t, "nginx"), "--print-to-pdf="+path, "--no-pdf-header-footer")
	if pdf, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) || len(pdf) < 10_000 {
		t.Errorf("%d bytes, %v", len(pdf), err)
	}
}
