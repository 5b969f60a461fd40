// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// TestArmedBeforeChange: SO_KEEPALIVE, switched on after a while of idleness,
// arms the timer for all of TCP_KEEPIDLE. What the settings promise a middlebox
// does not hold until then: the list and the prediction go by the timer.
func TestArmedBeforeChange(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	dialer := net.Dialer{KeepAlive: -1}
	c, err := dialer.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	keepalive := net.KeepAliveConfig{Idle: 10 * time.Second, Interval: 10 * time.Second, Count: 3}
	said := func(want ...string) {
		t.Helper()
		addr := c.LocalAddr().String()
		port := addr[strings.LastIndexByte(addr, ':')+1:]
		var all strings.Builder
		for _, args := range []string{
			"list --idle-limit 11s --local-port " + port, "list -o json --local-port " + port,
			"predict --idle-limit 11s --socket " + addr, "predict -o json --idle-limit 11s --socket " + addr,
		} {
			out, err := asKatrace(strings.Fields(args)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", args, err, out)
			}
			all.Write(out)
		}
		for _, w := range want {
			if _, none := strings.CutPrefix(w, "not "); none == strings.Contains(all.String(), strings.TrimPrefix(w, "not ")) {
				t.Errorf("%s:\n%s", w, all.String())
			}
		}
	}
	time.Sleep(1500 * time.Millisecond) // more than a second, and than the slack of a timer of 10 s
	tcp := c.(*net.TCPConn)
	if err := errors.Join(tcp.SetKeepAliveConfig(keepalive), tcp.SetKeepAlive(true)); err != nil {
		t.Fatal(err)
	}
	said("1 timer armed before the change (NEXT with *)", addrLine(c), `"armed_before_change":true}`, `,"armed_before_change":true,"keepalive"`,
		"The timer was armed before the change", "too late. The timer was armed before the change: the next probe is due after 1",
		"It is in time once TCP_KEEPIDLE is set on the socket, or SO_KEEPALIVE switched off and on, as katrace set --rearm does:", "--rearm   (a dry run; --apply does it)", `"verdict":"too_late"`)
	// The command that list names arms it anew, by the idle time that it has already.
	port := fmt.Sprint(c.LocalAddr().(*net.TCPAddr).Port)
	said("to have them probe in time: katrace set --idle-limit 11s --local-port " + port + " --on --idle 10s (")
	out, err := asKatrace("set", "--idle-limit", "11s", "--local-port", port, "--on", "--idle", "10s", "--apply").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "  changed\n") || !strings.Contains(string(out), "next ") {
		t.Fatalf("%v\n%s", err, out)
	}
	said("not armed", "not "+addrLine(c), "): in time.", `"verdict":"in_time"`)
}

// addrLine is the connection as the table shows it.
func addrLine(c net.Conn) string {
	return c.LocalAddr().String() + "  " + c.RemoteAddr().String()
}
