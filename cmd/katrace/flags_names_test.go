// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/owner"
)

func TestPodsFlag(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		given, dir string
		refused    bool
	}{
		{"auto", owner.PodLogs, false}, {"off", "", false}, {dir, dir, false},
		{file, "", true}, {filepath.Join(dir, "none"), "", true}, {"", "", true},
	} {
		pods, err := parsePods(tt.given)
		if (err != nil) != tt.refused {
			t.Errorf("%q: %v", tt.given, err)
		}
		if o := (nameOptions{pods: pods}); err == nil && o.dir() != tt.dir {
			t.Errorf("%q: looks in %q, want %q", tt.given, o.dir(), tt.dir)
		}
	}
	if got := (&nameOptions{}).dir(); got != owner.PodLogs {
		t.Errorf("where the flag is missing: %q", got)
	}
}

func TestPodFlag(t *testing.T) {
	for _, given := range []string{"", "/", "cart", "shop/", "/cart", "shop/cart/0", "Shop/cart", "shop/ca_rt", "shop/\x1b[2J"} {
		if p, err := parsePod(given); err == nil {
			t.Errorf("%q is taken for %+v", given, p)
		}
	}
	if p, err := parsePod("shop/cart-7d9f8b6c5-x2x4k"); err != nil || p != (conn.PodName{Namespace: "shop", Name: "cart-7d9f8b6c5-x2x4k"}) {
		t.Errorf("got %+v, %v", p, err)
	}
}

// TestPodsOfFilter: a filter by pods is refused where none has a name, and a pod
// that is not there is said.
func TestPodsOfFilter(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "shop_here_0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := events.Filter{Owner: conn.OwnerFilter{Pods: []conn.PodName{{Namespace: "shop", Name: "here"}, {Namespace: "shop", Name: "gone"}}}}
	var said strings.Builder
	if err := refuseMissing(&f, &nameOptions{pods: podsDir(dir)}, &said); err != nil {
		t.Error(err)
	}
	if want := "katrace: --pod shop/gone: no such pod has a directory in " + dir + " now\n"; said.String() != want {
		t.Errorf("got %q, want %q", said.String(), want)
	}
	if err := refuseMissing(&f, &nameOptions{pods: podsOff}, &said); err == nil || !strings.Contains(err.Error(), "--pods off") {
		t.Errorf("with --pods off: %v", err)
	}
	f = events.Filter{Owner: conn.OwnerFilter{Containers: []string{"frosty_cart"}}}
	said.Reset()
	if err := refuseMissing(&f, &nameOptions{containers: true}, &said); err != nil || said.Len() > 0 {
		t.Errorf("a container by name, with --names: %v, %q", err, said.String())
	}
	if err := refuseMissing(&f, &nameOptions{}, &said); err != nil || !strings.Contains(said.String(), "frosty_cart") {
		t.Errorf("without --names: %v, %q", err, said.String())
	}
}
