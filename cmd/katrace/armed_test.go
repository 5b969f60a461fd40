// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"katrace/internal/jiffies"
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
	hz, err := jiffies.Read()
	if err != nil {
		t.Fatal(err)
	}
	// The probe, after which nothing of this holds, is a minute away: katrace runs
	// nine times until then. A probe after a minute is in time for the middlebox, also
	// one that the kernel's timer has late; one after a minute and this idleness is not.
	keepalive := net.KeepAliveConfig{Idle: time.Minute, Interval: 10 * time.Second, Count: 3}
	limit := (keepalive.Idle + hz.Slack(keepalive.Idle) + 2*time.Second).Truncate(time.Second)
	idle := limit - keepalive.Idle + 1500*time.Millisecond
	said := func(want ...string) string {
		t.Helper()
		addr := c.LocalAddr().String()
		port := addr[strings.LastIndexByte(addr, ':')+1:]
		var all strings.Builder
		for _, args := range []string{
			"list --idle-limit " + limit.String() + " --local-port " + port, "list -o json --local-port " + port,
			"predict --idle-limit " + limit.String() + " --socket " + addr, "predict -o json --idle-limit " + limit.String() + " --socket " + addr,
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
		return all.String()
	}
	time.Sleep(idle)
	tcp := c.(*net.TCPConn)
	if err := errors.Join(tcp.SetKeepAliveConfig(keepalive), tcp.SetKeepAlive(true)); err != nil {
		t.Fatal(err)
	}
	said("1 timer armed before the change (NEXT with *)", addrLine(c), `"armed_before_change":true}`, `,"armed_before_change":true,"keepalive"`,
		"The timer was armed before the change", "too late. The timer was armed before the change: the next probe is due after 6",
		"It is in time once TCP_KEEPIDLE is set on the socket, or SO_KEEPALIVE switched off and on, as katrace set --rearm does:", "--rearm   (a dry run; --apply does it)", `"verdict":"too_late"`)
	// The command that list names arms it anew, by the idle time that it has already.
	port := fmt.Sprint(c.LocalAddr().(*net.TCPAddr).Port)
	named := regexp.MustCompile(`to have them probe in time: katrace (set --idle-limit \S+ --local-port ` + port + ` --on --idle \S+) \(`)
	command := named.FindStringSubmatch(said())
	if command == nil {
		t.Fatalf("no command named:\n%s", said())
	}
	out, err := asKatrace(append(strings.Fields(command[1]), "--apply")...).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "  changed\n") || !strings.Contains(string(out), "next ") {
		t.Fatalf("%v\n%s", err, out)
	}
	said("not armed", "not "+addrLine(c), "): in time.", `"verdict":"in_time"`)
}

// addrLine is the connection as the table shows it.
func addrLine(c net.Conn) string {
	return c.LocalAddr().String() + "  " + c.RemoteAddr().String()
}
