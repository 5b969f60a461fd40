// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"strings"
	"testing"
)

func TestCaught(t *testing.T) {
	want := errors.New("the ring is gone")
	if err := caught(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	err := caught(func() error { var none []int; _ = none[len(none)]; return nil })
	if err == nil || !strings.Contains(err.Error(), "index out of range") || !strings.Contains(err.Error(), "live_test.go") {
		t.Errorf("of a panic: %v", err)
	}
}
