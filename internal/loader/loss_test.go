// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"reflect"
	"slices"
	"testing"
)

// counters are all of a Lost's, those of structs in it included.
func counters(v reflect.Value) (all []reflect.Value) {
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Struct {
			all = append(all, counters(f)...)
		} else {
			all = append(all, f)
		}
	}
	return all
}

// TestLost: no counter is forgotten where they are added up.
func TestLost(t *testing.T) {
	var a, b Lost
	sum := uint64(0)
	for i, f := range counters(reflect.ValueOf(&a).Elem()) {
		f.SetUint(uint64(i + 1))
		sum += uint64(i + 1)
	}
	for i, f := range counters(reflect.ValueOf(&b).Elem()) {
		f.SetUint(uint64(1000 * (i + 1)))
	}
	if got := a.Total(); got != sum {
		t.Errorf("total %d, want %d", got, sum)
	}
	if got := a.Plus(b).Since(b); got != a {
		t.Errorf("%+v with %+v and without it again: %+v", a, b, got)
	}
	if got := a.Plus(b).Total(); got != 1001*sum {
		t.Errorf("total of both %d, want %d", got, 1001*sum)
	}
}

// TestSkippedFirings: the hooks that a firing passes are counted as one firing,
// and each other hook has its own counter.
func TestSkippedFirings(t *testing.T) {
	firing := []string{"tcp_keepalive_timer", "tcp_write_wakeup", "tcp_send_active_reset", "tcp_send_reset", "timer_expire_entry", "timer_expire_exit"}
	everyHook(func(b Backend, h hook) {
		var l Lost
		if ours := l.of(h) == &l.Missed; ours != slices.Contains(firing, h.at) {
			t.Errorf("%s: %s is counted as a firing: %t", b, h, ours)
		}
	})
}

func TestParseCPUs(t *testing.T) {
	for _, tt := range []struct {
		list string
		want []int
	}{
		{"0", []int{0}}, {"0-3", []int{0, 1, 2, 3}}, {"0-1,4,6-7", []int{0, 1, 4, 6, 7}},
		{"", nil}, {"3-1", nil}, {"0-9999999", nil}, {"x", nil}, {"-1", nil},
	} {
		got, err := parseCPUs(tt.list)
		if !slices.Equal(got, tt.want) && tt.want != nil || (err == nil) != (tt.want != nil) {
			t.Errorf("%q: %v, %v; want %v", tt.list, got, err, tt.want)
		}
	}
}

// TestWitness: what no program saw is missed, and what one saw late is not.
func TestWitness(t *testing.T) {
	m := makeSocket(t)
	seen := m.coll.Variables[katraceVarSeenFirings]
	// The programs are not attached, so none of this machine's firings is seen; no
	// keepalive timer has this address.
	w, err := openWitness("timer/timer_expire_entry", "function==1", seen)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	if n, err := w.read(); n != 0 || err != nil {
		t.Errorf("%d missed, %v; want none", n, err)
	}
	w.base[0] += 5 // as if five had passed the witness
	if n, err := w.read(); n != 5 || err != nil {
		t.Errorf("%d missed, %v; want 5", n, err)
	}
	w.base[1] -= 7 // a processor whose event is gone hides none
	if n, err := w.read(); n != 5 || err != nil {
		t.Errorf("%d missed, %v; want 5", n, err)
	}
	if err := seen.Set(w.base); err != nil { // programs that ran late
		t.Fatal(err)
	}
	if n, err := w.read(); n != 5 || err != nil {
		t.Errorf("%d missed, %v; what was certain stays", n, err)
	}
	if _, err := openWitness("timer/no_such_tracepoint", "", seen); err == nil {
		t.Error("a tracepoint that is not there can be counted")
	}
}
