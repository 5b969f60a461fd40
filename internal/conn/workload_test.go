// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"fmt"
	"strings"
	"testing"
)

func TestWorkload(t *testing.T) {
	const uid = "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"
	for _, tt := range []struct{ pod, want string }{
		{"web-7d9f8b6c5-x2x4k", "web"},
		{"coredns-5dd5756b68-8xkzq", "coredns"},
		{"my-app-prod-6c4b9c8d7f-zz9zz", "my-app-prod"},
		{"web-0", "web"},
		{"postgres-main-12", "postgres-main"},
		{"kube-proxy-6xsx9", "kube-proxy"},
		{"backup-29344780-x2x4k", "backup"},
		{"backup-1795677685-x2x4k", "backup"}, // before 1.21 it was seconds
		{"train-3-x2x4k", "train"},
		{"train-29344780-3-x2x4k", "train"},
		{"nginx", "nginx"},
		{"my-proxy", "my-proxy"}, // a vowel: not random
		{"web-12345-abcde", "web-12345-abcde"},
		{"web-456789", "web"},        // an ordinal
		{"cache-b-x2x4k", "cache-b"}, // too short for a hash
		{"api.v2-7d9f8b6c5-x2x4k", "api.v2"},
		{"-0", "-0"}, {"a-", "a-"}, {"", ""}, {"-", "-"},
		// Cut to 58 bytes before the random part: within the name, behind the hash's dash,
		// and where the hash has its end.
		{strings.Repeat("w", 58) + "x2x4k", strings.Repeat("w", 58)},
		{strings.Repeat("w", 50) + "-7d9f8b6" + "x2x4k", strings.Repeat("w", 50)},
		{strings.Repeat("w", 57) + "-" + "x2x4k", strings.Repeat("w", 57)},
	} {
		s := State{Owner: Owner{Pod: uid, PodName: tt.pod, PodNamespace: "shop"}}
		if got := s.Workload(); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.pod, got, tt.want)
		}
	}
}

// TestTemplateHashLetters: the ten letters are what SafeEncodeString makes of the
// ten digits.
func TestTemplateHashLetters(t *testing.T) {
	made := map[rune]bool{}
	for _, digit := range "0123456789" {
		made[rune(randomLetters[int(digit)%len(randomLetters)])] = true
	}
	for _, letter := range hashLetters {
		if !made[letter] {
			t.Errorf("%q is not among them", letter)
		}
	}
	if len(made) != len(hashLetters) {
		t.Errorf("%d letters, want %d", len(hashLetters), len(made))
	}
}

func TestWorkloadOfStaticPod(t *testing.T) {
	const manifest = "33d561edd3ae8ef21980288cef77ae8b"
	for _, tt := range []struct{ pod, host, want string }{
		{"etcd-node-1", "node-1", "etcd"},
		{"etcd-node-1", "", "etcd-node-1"},
		{"etcd-node-1", "node-2", "etcd-node-1"},
		{"etcd-x2x4k", "", "etcd-x2x4k"}, // a node's name, not what a DaemonSet made
	} {
		s := State{Host: tt.host, Owner: Owner{Pod: manifest, PodName: tt.pod, PodNamespace: "kube-system"}}
		if got := s.Workload(); got != tt.want {
			t.Errorf("%q on %q: got %q, want %q", tt.pod, tt.host, got, tt.want)
		}
	}
}

func BenchmarkWorkload(b *testing.B) {
	s := State{Owner: Owner{Pod: "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50", PodName: "my-app-prod-6c4b9c8d7f-zz9zz"}}
	for b.Loop() {
		if s.Workload() != "my-app-prod" {
			b.Fatal(s.Workload())
		}
	}
}

// TestPodFilter: of a pod whose name is not known yet, nothing is known.
func TestPodFilter(t *testing.T) {
	f := OwnerFilter{Pods: []PodName{{"shop", "cart-0"}}}
	named := func(namespace, name string) Owner {
		return Owner{Cgroup: "/kubepods/pod1", Pod: "1", PodNamespace: namespace, PodName: name}
	}
	for _, tt := range []struct {
		o              Owner
		match, unknown bool
	}{
		{named("shop", "cart-0"), true, false},
		{named("shop", "cart-1"), false, false},
		{named("lab", "cart-0"), false, false},
		{named("", ""), false, true},
		{Owner{Cgroup: "/system.slice"}, false, false},
		{Owner{}, false, true},
		{Owner{Container: "3f2a", Pod: "1", PodNamespace: "lab", PodName: "x"}, false, false}, // the cgroup's path is hidden
	} {
		if got := fmt.Sprint(f.Match(&tt.o), f.Unknown(&tt.o)); got != fmt.Sprint(tt.match, tt.unknown) {
			t.Errorf("%+v: matches, unknown: %s", tt.o, got)
		}
	}
	if !f.Any() {
		t.Error("asks for nothing")
	}
}

func TestAppendContainer(t *testing.T) {
	o := Owner{Container: strings.Repeat("3f2a9c0d", 8)}
	for _, tt := range []struct {
		give func()
		want string
	}{
		{func() {}, "3f2a9c0d3f2a"},
		{func() { o.ContainerName = "frosty_cart" }, "frosty_cart"},
		{func() { o.PodNamespace, o.PodName = "shop", "cart-0" }, "shop/cart-0"},
		{func() { o.PodName = "cart\x1b[2J" }, "shop/cart?[2J"},
		{func() { o = Owner{} }, ""},
	} {
		if tt.give(); string(o.AppendContainer(nil)) != tt.want {
			t.Errorf("got %q, want %q", o.AppendContainer(nil), tt.want)
		}
	}
}
