// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"testing"
	"time"
)

func TestShortIsShort(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{-time.Second, "0.0s"}, {0, "0.0s"}, {4240 * time.Millisecond, "4.2s"}, {9960 * time.Millisecond, "9.9s"}, {52 * time.Second, "52s"},
		{72 * time.Second, "72s"}, {118*time.Minute + 3*time.Second, "1h58m"}, {51 * time.Hour, "2d3h"}, {2400 * time.Hour, "100d"},
	} {
		if got := short(tt.d); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.d, got, tt.want)
		}
	}
	for d := time.Duration(0); d < 500*24*time.Hour; d = d*11/10 + 7*time.Millisecond {
		if s := short(d); len(s) > 6 {
			t.Errorf("%s: %q is too long", d, s)
		}
		if s := roundTrip(d, true); len(s) > 6 {
			t.Errorf("%s: round trip %q is too long", d, s)
		}
	}
}

func TestFit(t *testing.T) {
	th := newTheme(look{dark: true})
	for _, tt := range []struct{ got, want string }{
		{th.fit("postgres", 5), "post…"},
		{th.fit("日本語", 4), "日… "},
		{th.fit("", 2), "  "},
		{th.fit("x", 0), ""},
		{th.fitAddr("[2001:db8:ffff:12::a3f1]:52110", 21), "[2001:db8:…3f1]:52110"},
		{th.fitAddr("10.0.0.1:80", 21), "10.0.0.1:80          "},
		{th.fitOwner("redis-server[1201]", 12), "redis…[1201]"},
		{th.fitOwner("redis[1201] (thread)", 20), "redis[1201] (thread)"},
		{th.fitOwner("redis-server[1201] (thread)", 12), "redis…[1201]"},
		{th.fitOwner("kernel (sunrpc)", 10), "kernel (s…"},
		{th.fitOwner("uid 1000000000", 10), "uid 10000…"},
		{thousands(1234567), "1,234,567"},
		{thousands(-1234), "-1,234"},
		{thousands(999), "999"},
		{count(1, "probe"), "1 probe"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestLocaleIsUTF8(t *testing.T) {
	for _, tt := range []struct {
		env  map[string]string
		want bool
	}{
		{map[string]string{"LANG": "en_US.UTF-8"}, true},
		{map[string]string{"LANG": "C.utf8"}, true},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "de_DE.UTF-8"}, true},
		{nil, false},
	} {
		if got := localeIsUTF8(func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%v: %v", tt.env, got)
		}
	}
}

func TestSparkline(t *testing.T) {
	th := newTheme(look{dark: true})
	f := newFacts()
	for range 20 {
		f.addRTT(100*time.Microsecond, true)
	}
	f.addRTT(time.Second, true)
	if got := th.sparkline(&f, 12); got != "▃▃▃▃▃▃▃▃▃▃▃█" {
		t.Error(got)
	}
	if got := th.sparkline(&f, 3); got != "▃▃█" {
		t.Error(got)
	}
}
