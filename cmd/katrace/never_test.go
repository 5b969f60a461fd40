// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/loader"
)

// TestLacking: events that a backend cannot give are refused where nothing else
// is asked for. By its facts, so that a fact more is an event more.
func TestLacking(t *testing.T) {
	point, probe := loader.Tracepoint.Facts(), loader.Kprobe.Facts()
	for _, tt := range []struct {
		kinds  string
		b      loader.Backend
		facts  loader.Facts
		refuse bool
	}{
		{"icmp", loader.Tracepoint, point, true},
		{"enabled", loader.Tracepoint, point, true},
		{"window_probe", loader.Tracepoint, point, true},
		{"probed", loader.Tracepoint, point, false},
		{"probed", loader.Tracepoint, loader.Facts{}, true}, // before 6.11
		{"icmp,probe", loader.Tracepoint, point, false},
		{"probe", loader.Tracepoint, loader.Facts{}, false},
		{"icmp,enabled,window_probe,probed", loader.Kprobe, probe, false},
		{"icmp", loader.Fentry, loader.Fentry.Facts(), false},
		{"icmp", loader.Auto, loader.Facts{}, false},
	} {
		var kinds []events.Kind
		for name := range strings.SplitSeq(tt.kinds, ",") {
			k, err := events.ParseKind(name)
			if err != nil {
				t.Fatal(err)
			}
			kinds = append(kinds, k)
		}
		if err := lacking(kinds, tt.b, tt.facts); (err != nil) != tt.refuse {
			t.Errorf("%s by %s: %v", tt.kinds, tt.b, err)
		}
	}
	if err := lacking(nil, loader.Tracepoint, loader.Facts{}); err != nil {
		t.Error(err)
	}
}

// TestMissing: what the filter names and what is there.
func TestMissing(t *testing.T) {
	thread, over := make(chan int), make(chan struct{})
	defer close(over)
	for range 2 { // one of the two is not the process's first thread
		go func() {
			runtime.LockOSThread()
			thread <- unix.Gettid()
			<-over
		}()
	}
	tid := max(<-thread, <-thread)
	for _, tt := range []struct {
		f    events.Filter
		want string // refused so
		note string
	}{
		{f: events.Filter{Owner: conn.OwnerFilter{PIDs: []int{os.Getpid(), 1}}}},
		{f: events.Filter{Owner: conn.OwnerFilter{PIDs: []int{1<<31 - 1}}}, want: "--pid 2147483647: there is no such process"},
		{f: events.Filter{Owner: conn.OwnerFilter{PIDs: []int{tid}}}, want: fmt.Sprintf("--pid %d: that is a thread of process %d: give that", tid, os.Getpid())},
		{f: events.Filter{Socket: conn.SocketFilter{Netns: []uint32{7}}}, note: "katrace: --netns 7: no process"},
		{f: events.Filter{Owner: conn.OwnerFilter{Containers: []string{"no\x1bne"}}}, note: `katrace: --container "no\x1bne": no process`},
	} {
		var said strings.Builder
		err := refuseMissing(&tt.f, &nameOptions{}, &said)
		if fmt.Sprint(err) != tt.want && (err != nil || tt.want != "") {
			t.Errorf("%+v: %v, want %q", tt.f, err, tt.want)
		}
		if !strings.HasPrefix(said.String(), tt.note) || tt.note == "" && said.Len() > 0 {
			t.Errorf("%+v: says %q, want %q", tt.f, said.String(), tt.note)
		}
	}
}
