// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"katrace/internal/conn"
	"katrace/test/hostile"
)

const staticUID = "33d561edd3ae8ef21980288cef77ae8b"

func makeDirs(t *testing.T, root string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Mkdir(filepath.Join(root, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPods(t *testing.T) {
	dir := t.TempDir()
	makeDirs(t, dir, "shop_cart-7d9f8b6c5-x2x4k_"+uid, "kube-system_etcd-node-1_"+staticUID)
	p := newPods(dir)
	for _, tt := range []struct {
		uid  string
		want conn.PodName
	}{
		{uid, conn.PodName{Namespace: "shop", Name: "cart-7d9f8b6c5-x2x4k"}},
		{staticUID, conn.PodName{Namespace: "kube-system", Name: "etcd-node-1"}},
		{strings.Repeat("0", 32), conn.PodName{}},
	} {
		if got := p.find(tt.uid, 0); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.uid, got, tt.want)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if got := p.find(strings.Repeat("1", 32), 0); got != (conn.PodName{}) {
		t.Errorf("without the directory: %+v", got)
	}
	if got := p.find(uid, time.Hour); got.Name != "cart-7d9f8b6c5-x2x4k" {
		t.Errorf("a deleted pod is forgotten: %+v", got)
	}
}

// TestPodsAreLookedForAgain: a pod that comes is found at once if nobody asked for it
// before, else after a time; the directory is read so often at most.
func TestPodsAreLookedForAgain(t *testing.T) {
	dir := t.TempDir()
	p := newPods(dir)
	if got := p.find(uid, 0); got != (conn.PodName{}) {
		t.Errorf("got %+v of nothing", got)
	}
	makeDirs(t, dir, "shop_cart-0_"+uid, "shop_cart-1_"+staticUID)
	if got := p.find(staticUID, 0); got.Name != "cart-1" {
		t.Errorf("one that was not asked for: %+v", got)
	}
	if got := p.find(uid, 0); got.Name != "cart-0" { // found with the other
		t.Errorf("one that the same reading found: %+v", got)
	}

	p = newPods(filepath.Join(dir, "later"))
	p.find(uid, 0)
	makeDirs(t, dir, "later", "later/shop_cart-0_"+uid)
	if got := p.find(uid, podForget-1); got != (conn.PodName{}) {
		t.Errorf("looked for again at once: %+v", got)
	}
	if got := p.find(uid, podForget); got.Name != "cart-0" {
		t.Errorf("after %s: %+v", podForget, got)
	}

	p = newPods(dir)
	for i := range podTries {
		p.find(strings.Repeat(string(rune('a'+i%6)), 32-i)+strings.Repeat("0", i), 0)
	}
	if got := p.find(uid, 0); got.Name != "cart-0" { // the readings found it
		t.Errorf("got %+v", got)
	}
	makeDirs(t, dir, "shop_cart-2_"+strings.Repeat("2", 32))
	if got := p.find(strings.Repeat("2", 32), 0); got != (conn.PodName{}) {
		t.Errorf("more readings in a second than %d", podTries)
	}
	if got := p.find(strings.Repeat("2", 32), time.Second); got.Name != "cart-2" {
		t.Errorf("in the next second: %+v", got)
	}
}

func TestParsePodDir(t *testing.T) {
	for _, dir := range []string{
		"", "_", "__", "shop_cart", "shop_cart_", "_cart_" + uid, "shop__" + uid, "shop_cart_" + uid + "_", "shop_cart_0_" + uid,
		"shop_cart_" + uid[1:], "shop_cart_" + strings.ToUpper(uid), "shop_cart_" + uidU, "Shop_cart_" + uid, "shop_Cart_" + uid,
		"shop_cart-_" + uid, "-shop_cart_" + uid, "sh.op_cart_" + uid, "shop_.cart_" + uid, "shop_cart..0_" + uid, "shop_../../etc_" + uid,
		strings.Repeat("n", 64) + "_cart_" + uid, "shop_" + strings.Repeat("n", 254) + "_" + uid,
	} {
		if name, uid, ok := parsePodDir(dir); ok {
			t.Errorf("%q is taken for %+v, %q", dir, name, uid)
		}
	}
	for _, hostile := range hostile.Names {
		for _, dir := range []string{hostile, "shop_" + hostile + "_" + uid, hostile + "_cart_" + uid, "shop_cart_" + hostile} {
			if name, uid, ok := parsePodDir(dir); ok {
				t.Errorf("%q is taken for %+v, %q", dir, name, uid)
			}
		}
	}
	if name, got, ok := parsePodDir("n_a.b-c.0_" + uid); !ok || name != (conn.PodName{Namespace: "n", Name: "a.b-c.0"}) || got != uid {
		t.Errorf("got %+v, %q, %v", name, got, ok)
	}
}

// TestPodDirsOnly: files and links are no pods.
func TestPodDirsOnly(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "shop_file_"+uid), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(dir, "shop_link_"+staticUID)); err != nil {
		t.Fatal(err)
	}
	makeDirs(t, dir, "shop_cart_"+strings.Repeat("2", 32), "a\x1b[2J", "\xff_\xff_"+uid)
	if got := Pods(dir); !slices.Equal(got, []conn.PodName{{Namespace: "shop", Name: "cart"}}) {
		t.Errorf("got %+v", got)
	}
}

// FuzzParsePodDir: what is taken apart can be put together again.
func FuzzParsePodDir(f *testing.F) {
	f.Add("shop_cart-7d9f8b6c5-x2x4k_" + uid)
	f.Add("kube-system_etcd-node-1_" + staticUID)
	f.Fuzz(func(t *testing.T, dir string) {
		name, uid, ok := parsePodDir(dir)
		if !ok {
			return
		}
		if name.Namespace+"_"+name.Name+"_"+uid != dir || conn.Safe(dir) != dir || strings.ContainsAny(dir, "/ \"") {
			t.Fatalf("%q: %+v, %q", dir, name, uid)
		}
	})
}

func BenchmarkPod(b *testing.B) {
	dir := b.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "shop_cart-7d9f8b6c5-x2x4k_"+uid), 0o755); err != nil {
		b.Fatal(err)
	}
	n := OpenNames(dir, false)
	o := conn.Owner{Pod: uid, Container: id64}
	b.ReportAllocs()
	for b.Loop() {
		if n.Fill(&o); o.PodName == "" {
			b.Fatal("not found")
		}
	}
}
