// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
)

// middleboxForgets is how long the middlebox of this test remembers an idle connection.
const middleboxForgets = 20 * time.Second

// behindMiddlebox makes a host that is reached through a router, which forgets
// connections on which nothing has moved for a while, and drops their segments from
// then on: conntrack, with loose tracking off.
func behindMiddlebox(t *testing.T) (far *host, addr string) {
	t.Helper()
	router := neighbour(t)
	far = newHost(t)
	addr = "198.18.1.1"
	check := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	route := func(to, via string) error {
		_, dst, err := net.ParseCIDR(to)
		if err != nil {
			return err
		}
		return netlink.RouteAdd(&netlink.Route{Dst: dst, Gw: net.IP(netip.MustParseAddr(via).AsSlice())})
	}
	check("connect the router", router.do(func() error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = nearEnd
		return errors.Join(netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: farEnd, PeerNamespace: netlink.NsFd(far.ns.Fd())}),
			configure(nearEnd, "198.18.1.2"))
	}))
	check("configure the far host", far.do(func() error {
		return errors.Join(configure("lo", ""), configure(farEnd, addr), route("198.18.0.0/24", "198.18.1.2"))
	}))
	check("route to it", route("198.18.1.0/24", farAddr))
	check("make the router forget", router.do(func() error {
		return exec.Command("/usr/sbin/iptables", "-A", "FORWARD", "-m", "conntrack", "--ctstate", "INVALID", "-j", "DROP").Run()
	}))
	for name, value := range map[string]int{"net.ipv4.ip_forward": 1, "net.netfilter.nf_conntrack_tcp_loose": 0, "net.netfilter.nf_conntrack_tcp_timeout_established": int(middleboxForgets / time.Second)} {
		check(name, router.sysctl(name, value))
	}
	return far, addr
}

// TestSetMiddlebox: two JVMs with keepalive on and the kernel's defaults of two
// hours have a connection each through a middlebox that forgets after 20 s. katrace
// list finds both, and names the command. It is applied to one: that connection
// works after 45 idle seconds, the other one is dead.
func TestSetMiddlebox(t *testing.T) {
	far, addr := behindMiddlebox(t)
	const port = 9101
	var l net.Listener
	if err := far.do(func() (err error) {
		listener := net.ListenConfig{KeepAlive: -1}
		l, err = listener.Listen(t.Context(), "tcp4", fmt.Sprintf("%s:%d", addr, port))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	keepOpen(t, l, func(c net.Conn) {
		for in := bufio.NewScanner(c); in.Scan(); {
			_, _ = fmt.Fprintln(c, "answer to", in.Text())
		}
	})
	source := write(t, folder(t, "root"), "Client.java", fmt.Sprintf(`
import java.io.*;
import java.net.*;
public class Client {
	public static void main(String[] args) throws Exception {
		Socket s = new Socket("%s", %d);
		s.setKeepAlive(true);
		s.setSoTimeout(5000);
		BufferedReader peer = new BufferedReader(new InputStreamReader(s.getInputStream()));
		BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
		for (String line; (line = in.readLine()) != null; ) {
			try {
				s.getOutputStream().write((line + "\n").getBytes());
				System.out.println(peer.readLine());
			} catch (IOException e) {
				System.out.println(e.getMessage());
			}
		}
	}
}
`, addr, port))
	kept, left := start(t, "", "/usr/bin/java", "-XX:-UsePerfData", source), start(t, "", "/usr/bin/java", "-XX:-UsePerfData", source)
	for _, p := range []*process{kept, left} {
		if got := p.ask(t, "one"); got != "answer to one" {
			t.Fatalf("%s: %s", p.name, got)
		}
	}
	idleList := func() (out, named string) {
		cmd := exec.CommandContext(t.Context(), *program, "list", "--idle-limit", middleboxForgets.String(), "--comm", "java", "--remote-port", fmt.Sprint(port))
		var errs strings.Builder
		cmd.Stderr = &errs
		text, err := cmd.Output()
		t.Logf("katrace list --idle-limit 20s --comm java --remote-port %d\n%s%s%v", port, text, errs.String(), err)
		_, named, _ = strings.Cut(errs.String(), "to have them probe in time: katrace set ")
		named, _, _ = strings.Cut(named, " (")
		return string(text), named
	}
	listed, named := idleList()
	if strings.Count(listed, "java[") != 2 || named == "" {
		t.Fatalf("%d connections are listed, want 2; the command is %q", strings.Count(listed, "java["), named)
	}
	katraceSet(t, append(strings.Fields(named), "--pid", fmt.Sprint(kept.pid()), "--apply")...)
	if listed, _ := idleList(); strings.Count(listed, "java[") != 1 || !strings.Contains(listed, fmt.Sprintf("java[%d]", left.pid())) {
		t.Error("after that the other connection alone is to be listed")
	}
	time.Sleep(2*middleboxForgets + 5*time.Second)
	if got := kept.ask(t, "two"); got != "answer to two" {
		t.Errorf("the connection that was set: %s, want an answer", got)
	}
	got := left.ask(t, "two")
	t.Logf("the connection that was left alone: %s", got)
	if got == "answer to two" {
		t.Errorf("the connection that was left alone is alive: the middlebox has not forgotten it, so this test shows nothing")
	}
}
