// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"katrace/internal/loader"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// ailing is a report with something of everything.
func ailing() loader.Report {
	return loader.Report{
		Kernel: "6.12.0-lto", Machine: "x86_64", Lockdown: "integrity",
		Notes:        []string{"kprobes are switched off: …"},
		Capabilities: []loader.Capability{{Name: "CAP_BPF", For: "load programs and maps", Have: true}, {Name: "CAP_SYSLOG", For: "addresses"}},
		Backends: []loader.BackendReport{{
			Backend: loader.Kprobe, Lacks: []string{"ICMP errors (IPv4)"},
			Hooks: []loader.HookReport{
				{Name: "raw tracepoint tcp_receive_reset", Untried: "the backend cannot be used"},
				{Name: "raw tracepoint inet_sock_set_state", Untried: "the backend cannot be used"},
				{Name: "kprobe tcp_write_wakeup", Err: errors.New("attach kprobe tcp_write_wakeup: gone"), Why: "it is on the blacklist"},
				{Name: "kprobe tcp_send_active_reset", Err: errors.New("attach kprobe tcp_send_active_reset: gone")},
				{Name: "kprobe tcp_v4_err", Optional: "ICMP errors (IPv4)", Err: errors.New("gone"), Why: "it is on the blacklist"},
			},
		}, {
			Backend: loader.Fentry, Usable: true, Lacks: []string{"ICMP errors (IPv6)"},
			Hooks: []loader.HookReport{
				{Name: "fexit tcp_write_wakeup", Fired: true},
				{Name: "fentry tcp_v6_err", Optional: "ICMP errors (IPv6)", Why: "the compiler may have inlined it"},
				{Name: "fentry tcp_v4_err", Optional: "ICMP errors (IPv4)", Untried: "no raw sockets"},
			},
		}, {
			Backend: loader.Tracepoint,
			Hooks:   []loader.HookReport{{Name: "raw tracepoint timer_expire_entry", Why: "this kernel does not run it"}},
		}},
		Chosen: loader.Fentry, Missed: 2,
	}
}

// TestDoctorText holds what the doctor writes against testdata/doctor.golden,
// which go test -update rewrites.
func TestDoctorText(t *testing.T) {
	var b strings.Builder
	if err := writeDoctor(&b, ailing(), selfTest{done: true, own: true}); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "doctor.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Error(diff)
	}
	for _, tt := range []struct {
		tested   selfTest
		has, not string
	}{
		{selfTest{}, "kernel ", "self-test"},
		{selfTest{done: true}, "in this network namespace", "of its own\n"},
	} {
		b.Reset()
		if err := writeDoctor(&b, ailing(), tt.tested); err != nil || !strings.Contains(b.String(), tt.has) || strings.Contains(b.String(), tt.not) {
			t.Errorf("%+v: want %q and not %q, %v:\n%s", tt.tested, tt.has, tt.not, err, b.String())
		}
	}
}

// TestDoctorJSON: every fact has its key, and what is not known has none.
func TestDoctorJSON(t *testing.T) {
	text, err := json.Marshal(doctorJSON(ailing(), selfTest{done: true, own: true}))
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	type list = []any
	var got object
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := object{
		"v": 1.0, "kernel": "6.12.0-lto", "machine": "x86_64", "btf": true, "lockdown": "integrity", "chosen": "fentry",
		"notes": list{"kprobes are switched off: …"}, "self_test": object{"own_netns": true, "missed": 2.0},
		"capabilities": list{
			object{"name": "CAP_BPF", "have": true, "for": "load programs and maps"},
			object{"name": "CAP_SYSLOG", "have": false, "for": "addresses"},
		},
		"backends": list{
			object{"backend": "kprobe", "usable": false, "lacks": list{"ICMP errors (IPv4)"}, "hooks": list{
				object{"hook": "raw tracepoint tcp_receive_reset", "ok": true, "not_tried": "the backend cannot be used"},
				object{"hook": "raw tracepoint inet_sock_set_state", "ok": true, "not_tried": "the backend cannot be used"},
				object{"hook": "kprobe tcp_write_wakeup", "ok": false, "error": "attach kprobe tcp_write_wakeup: gone", "why": "it is on the blacklist"},
				object{"hook": "kprobe tcp_send_active_reset", "ok": false, "error": "attach kprobe tcp_send_active_reset: gone"},
				object{"hook": "kprobe tcp_v4_err", "ok": false, "error": "gone", "why": "it is on the blacklist", "for": "ICMP errors (IPv4)"},
			}},
			object{"backend": "fentry", "usable": true, "lacks": list{"ICMP errors (IPv6)"}, "hooks": list{
				object{"hook": "fexit tcp_write_wakeup", "ok": true, "fired": true},
				object{"hook": "fentry tcp_v6_err", "ok": true, "fired": false, "why": "the compiler may have inlined it", "for": "ICMP errors (IPv6)"},
				object{"hook": "fentry tcp_v4_err", "ok": true, "not_tried": "no raw sockets", "for": "ICMP errors (IPv4)"},
			}},
			object{"backend": "tracepoint", "usable": false, "lacks": list{}, "hooks": list{
				object{"hook": "raw tracepoint timer_expire_entry", "ok": true, "fired": false, "why": "this kernel does not run it"},
			}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	blind := ailing()
	blind.Unwitnessed = errors.New("no tracefs")
	half, err := json.Marshal(doctorJSON(blind, selfTest{done: true}))
	if err != nil || !strings.Contains(string(half), `"self_test":{"missed_unknown":"no tracefs","own_netns":false}`) {
		t.Errorf("without a witness: %s, %v", half, err)
	}
	bare, err := json.Marshal(doctorJSON(loader.Report{BTF: errors.New("none")}, selfTest{}))
	if err != nil || strings.Contains(string(bare), "self_test") || strings.Contains(string(bare), "notes") || !strings.Contains(string(bare), `"btf_error":"none"`) {
		t.Errorf("without BTF: %s, %v", bare, err)
	}
}
