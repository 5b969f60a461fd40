// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPrograms starts every program and holds its connections against what it
// was told.
func TestPrograms(t *testing.T) {
	ways := methods(t)
	var all []conn
	for _, stage := range []func(*testing.T) []conn{
		postgres, redis, nginx, nginxProxy, haproxy, curl, ssh, golang, python, libkeepalive, node, java,
	} {
		all = append(all, stage(t)...)
	}
	for _, method := range ways {
		t.Run(method, func(t *testing.T) {
			for _, c := range all {
				t.Run(c.name, func(t *testing.T) { c.check(t, method) })
			}
		})
	}
	// What docs/questions.md shows.
	for _, args := range []string{"list --state established", "list --idle-limit 1h --by settings,process --sort settings", "list --off --by service,process"} {
		out, err := exec.CommandContext(t.Context(), *program, strings.Fields(args)...).CombinedOutput()
		t.Logf("katrace %s\n%s%v", args, out, err)
	}
	for _, method := range ways {
		t.Run("set/"+method, func(t *testing.T) { setAndUndo(t, method) })
	}
}

// listening waits until something listens on the port.
func listening(t *testing.T, p *process, port uint16) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = c.Close()
			return
		}
	}
	t.Fatalf("%s does not listen on port %d; it said: %s", p.name, port, p.said)
}

// held listens on a port of its own, as Go does by default, and keeps every
// connection open: 15 s, 15 s and 9 (net.ListenConfig, net.KeepAliveConfig).
func held(t *testing.T, port uint16, serve func(net.Conn)) settings {
	t.Helper()
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			if serve != nil {
				go serve(c)
			}
		}
	}()
	return sets(ownComm(t), 15, 15, 9)
}

func ownComm(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// postgres: its tcp_keepalives_* and tcp_user_timeout, and libpq's keepalives_*.
func postgres(t *testing.T) []conn {
	const port, account = 5432, "postgres"
	bin := postgresBin(t)
	dir := folder(t, account)
	run(t, account, bin+"/initdb", "-D", dir+"/data", "-A", "trust", "--no-sync")
	server := start(t, account, bin+"/postgres", "-D", dir+"/data", "-p", fmt.Sprint(port), "-k", dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
		"-c", "tcp_keepalives_idle=60", "-c", "tcp_keepalives_interval=10", "-c", "tcp_keepalives_count=6", "-c", "tcp_user_timeout=45000")
	postgresReady(t, server, port)
	psql := func(options string) int {
		return start(t, account, bin+"/psql", "-X", fmt.Sprintf("host=127.0.0.1 port=%d dbname=postgres %s", port, options)).pid()
	}
	said := sets("postgres", 60, 10, 6)
	said.UserT = 45
	some := sets("psql", 45, 0, 0)
	some.UserT = 20
	return []conn{
		{"psql", psql(""), port, inherits("psql"), said},
		{"psql keepalives_idle=45 tcp_user_timeout=20000", psql("keepalives_idle=45 tcp_user_timeout=20000"), port, some, said},
		{"psql keepalives=0", psql("keepalives=0"), port, off("psql"), said},
	}
}

// postgresReady waits until PostgreSQL lets clients in, some time after it listens.
func postgresReady(t *testing.T, server *process, port uint16) {
	t.Helper()
	listening(t, server, port)
	await(t, "PostgreSQL to let clients in", func() bool {
		return exec.CommandContext(t.Context(), postgresBin(t)+"/pg_isready", "-q", "-h", "127.0.0.1", "-p", fmt.Sprint(port)).Run() == nil
	})
}

// postgresBin is the directory of the newest PostgreSQL's programs.
func postgresBin(t *testing.T) string {
	t.Helper()
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is good
	if len(bins) == 0 {
		t.Fatal("no PostgreSQL in /usr/lib/postgresql")
	}
	return bins[len(bins)-1]
}

// redis: tcp-keepalive N is idle N, interval N/3, count 3 (anetKeepAlive); its
// own client does the same with 15.
func redis(t *testing.T) []conn {
	const port = 6379
	server := start(t, "redis", "/usr/bin/redis-server", "--port", fmt.Sprint(port), "--bind", "127.0.0.1",
		"--tcp-keepalive", "120", "--save", "", "--dir", folder(t, "redis"))
	listening(t, server, port)
	cli := []string{"/usr/bin/redis-cli", "-p", fmt.Sprint(port)}
	before := conn{"redis-cli", start(t, "nobody", cli...).pid(), port, sets("redis-cli", 15, 5, 3), sets("redis-server", 120, 40, 3)}
	before.check(t, methods(t)[0]) // it has connected
	run(t, "nobody", append(cli, "config", "set", "tcp-keepalive", "60")...)
	return []conn{before, {"redis-cli after config set", start(t, "nobody", cli...).pid(), port, sets("redis-cli", 15, 5, 3), sets("redis-server", 60, 20, 3)}}
}

// nginx: so_keepalive of listen.
func nginx(t *testing.T) []conn {
	const account = "nobody"
	dir := folder(t, account)
	conf := write(t, dir, "nginx.conf", fmt.Sprintf(`
daemon off; user nobody nogroup; pid %[1]s/pid; error_log stderr; worker_processes 1;
events {}
http {
	access_log off; keepalive_timeout 1h;
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	server { listen 127.0.0.1:8080 so_keepalive=30s:5s:4; return 204; }
	server { listen 127.0.0.1:8081 so_keepalive=on; return 204; }
	server { listen 127.0.0.1:8082; return 204; }
}
`, dir))
	server := start(t, "", "/usr/sbin/nginx", "-p", dir, "-c", conf)
	var conns []conn
	for port, want := range map[uint16]settings{8080: sets("nginx", 30, 5, 4), 8081: inherits("nginx"), 8082: off("nginx")} {
		listening(t, server, port)
		c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		// A request, so that a worker has accepted it.
		if _, err := fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		conns = append(conns, conn{fmt.Sprintf("nginx port %d", port), os.Getpid(), port, sets(ownComm(t), 15, 15, 9), want})
	}
	return conns
}

// nginxProxy: proxy_socket_keepalive, on connections that are kept for later.
func nginxProxy(t *testing.T) []conn {
	const port, plain, behind, behindPlain = 8085, 8086, 9009, 9010
	answer := func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err == nil {
			_, _ = fmt.Fprint(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	}
	server, plainServer := held(t, behind, answer), held(t, behindPlain, answer)
	dir := folder(t, "nobody")
	conf := write(t, dir, "nginx.conf", fmt.Sprintf(`
daemon off; master_process off; user nobody nogroup; pid %[1]s/pid; error_log stderr;
events {}
http {
	access_log off;
	client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;
	proxy_http_version 1.1; proxy_set_header Connection "";
	upstream one { server 127.0.0.1:%[4]d; keepalive 4; keepalive_timeout 1h; }
	upstream two { server 127.0.0.1:%[5]d; keepalive 4; keepalive_timeout 1h; }
	server { listen 127.0.0.1:%[2]d; location / { proxy_pass http://one; proxy_socket_keepalive on; } }
	server { listen 127.0.0.1:%[3]d; location / { proxy_pass http://two; } }
}
`, dir, port, plain, behind, behindPlain))
	proxy := start(t, "", "/usr/sbin/nginx", "-p", dir, "-c", conf)
	for _, port := range []uint16{port, plain} {
		listening(t, proxy, port)
		run(t, "nobody", "/usr/bin/curl", "-sS", fmt.Sprintf("http://127.0.0.1:%d/", port))
	}
	return []conn{
		{"nginx proxy_socket_keepalive on", proxy.pid(), behind, inherits("nginx"), server},
		{"nginx without proxy_socket_keepalive", proxy.pid(), behindPlain, off("nginx"), plainServer},
	}
}

// haproxy: clitcpka and srvtcpka of a backend in mode tcp, each with times of its own.
func haproxy(t *testing.T) []conn {
	const client, plain, behind, behindPlain = 8083, 8084, 9006, 9008
	server, plainServer := held(t, behind, nil), held(t, behindPlain, nil)
	conf := write(t, folder(t, "root"), "haproxy.cfg", fmt.Sprintf(`
defaults
	mode tcp
	timeout connect 10s
	timeout client 1h
	timeout server 1h
listen keepalive
	bind 127.0.0.1:%[1]d
	option clitcpka
	clitcpka-idle 30s
	clitcpka-intvl 10s
	clitcpka-cnt 4
	option srvtcpka
	srvtcpka-idle 40s
	srvtcpka-intvl 8s
	srvtcpka-cnt 5
	server one 127.0.0.1:%[3]d
listen plain
	bind 127.0.0.1:%[2]d
	option clitcpka
	server one 127.0.0.1:%[4]d
`, client, plain, behind, behindPlain))
	proxy := start(t, "", "/usr/sbin/haproxy", "-db", "-f", conf)
	var conns []conn
	for port, want := range map[uint16]settings{client: sets("haproxy", 30, 10, 4), plain: inherits("haproxy")} {
		listening(t, proxy, port)
		c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		conns = append(conns, conn{fmt.Sprintf("haproxy port %d", port), os.Getpid(), port, sets(ownComm(t), 15, 15, 9), want})
	}
	return append(conns, conn{"haproxy srvtcpka", proxy.pid(), behind, sets("haproxy", 40, 8, 5), server},
		conn{"haproxy without srvtcpka", proxy.pid(), behindPlain, off("haproxy"), plainServer})
}

// curl: 60 s for idle and interval unless it is told otherwise.
func curl(t *testing.T) []conn {
	const port = 9000
	server := held(t, port, nil)
	get := func(args ...string) int {
		return start(t, "nobody", append([]string{"/usr/bin/curl", "-sS", fmt.Sprintf("http://127.0.0.1:%d/", port)}, args...)...).pid()
	}
	return []conn{
		{"curl", get(), port, sets("curl", 60, 60, 0), server},
		{"curl --keepalive-time 25", get("--keepalive-time", "25"), port, sets("curl", 25, 25, 0), server},
		{"curl --no-keepalive", get("--no-keepalive"), port, off("curl"), server},
	}
}

// ssh: TCPKeepAlive switches it on, on both sides by default, and sets nothing.
func ssh(t *testing.T) []conn {
	const port = 2222
	dir, conf := sshdConfig(t, fmt.Sprintf("127.0.0.1:%d", port))
	server := start(t, "", "/usr/sbin/sshd", "-D", "-e", "-f", conf)
	listening(t, server, port)
	connect := func(keepalive string) int {
		return start(t, "", "/usr/bin/ssh", "-F", "none", "-N", "-i", dir+"/user", "-p", fmt.Sprint(port), "-o", "TCPKeepAlive="+keepalive,
			"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "root@127.0.0.1").pid()
	}
	return []conn{
		{"ssh", connect("yes"), port, inherits("ssh"), inherits("sshd")},
		{"ssh TCPKeepAlive=no", connect("no"), port, off("ssh"), inherits("sshd")},
	}
}

// sshdConfig makes keys and a configuration in a folder. The client's key is
// the file "user".
func sshdConfig(t *testing.T, listen string, more ...string) (dir, conf string) {
	t.Helper()
	dir = folder(t, "root")
	for _, key := range []string{"host", "user"} {
		run(t, "", "/usr/bin/ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, key))
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // Debian's sshd has its privilege separation there
		t.Fatal(err)
	}
	return dir, write(t, dir, "sshd_config", fmt.Sprintf(`
ListenAddress %s
HostKey %[2]s/host
AuthorizedKeysFile %[2]s/user.pub
PidFile none
StrictModes no
PermitRootLogin prohibit-password
`, listen, dir)+strings.Join(more, "\n")+"\n")
}

// golang: 15 s, 15 s and 9 on both sides (net.Dialer, net.ListenConfig).
func golang(t *testing.T) []conn {
	const port = 9001
	server := held(t, port, nil)
	c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return []conn{{"go", os.Getpid(), port, sets(ownComm(t), 15, 15, 9), server}}
}

// python: off unless the program does something about it.
func python(t *testing.T) []conn {
	const port = 9002
	server := held(t, port, nil)
	connect := func(then string) int {
		return start(t, "nobody", "/usr/bin/python3", "-c", fmt.Sprintf(
			"import socket, sys\ns = socket.create_connection(('127.0.0.1', %d))\n%s\nsys.stdin.read()", port, then)).pid()
	}
	return []conn{
		{"python", connect(""), port, off("python3"), server},
		{"python SO_KEEPALIVE", connect("s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)"), port, inherits("python3"), server},
	}
}

// libkeepalive switches it on for a program that does not, by LD_PRELOAD.
func libkeepalive(t *testing.T) []conn {
	const port = 9007
	server := held(t, port, nil)
	connect := func(env ...string) int {
		args := append([]string{"/usr/bin/env", "LD_PRELOAD=libkeepalive.so"}, env...)
		return start(t, "nobody", append(args, "/usr/bin/python3", "-c", fmt.Sprintf(
			"import socket, sys\ns = socket.create_connection(('127.0.0.1', %d))\nsys.stdin.read()", port))...).pid()
	}
	return []conn{
		{"libkeepalive", connect(), port, inherits("python3"), server},
		{"libkeepalive KEEPIDLE=30 KEEPINTVL=10 KEEPCNT=4", connect("KEEPIDLE=30", "KEEPINTVL=10", "KEEPCNT=4"), port, sets("python3", 30, 10, 4), server},
	}
}

// node: off by default; setKeepAlive(true, ms) sets the idle time, and libuv
// with it the interval, 1 s, and the count, 10. The agent of its HTTP client
// does it with 1 s on connections that it keeps for later.
func node(t *testing.T) []conn {
	const port, web = 9003, 9004
	server := held(t, port, nil)
	httpServer := held(t, web, func(c net.Conn) {
		if _, err := c.Read(make([]byte, 4096)); err == nil {
			_, _ = fmt.Fprint(c, "HTTP/1.1 204 No Content\r\n\r\n")
		}
	})
	run := func(script string) int { return start(t, "nobody", "/usr/bin/node", "-e", script).pid() }
	return []conn{
		{"node net.connect", run(fmt.Sprintf("require('net').connect(%d, '127.0.0.1')", port)), port, off("node"), server},
		{"node setKeepAlive(true, 30000)", run(fmt.Sprintf("const s = require('net').connect(%d, '127.0.0.1'); s.setKeepAlive(true, 30000)", port)),
			port, sets("node", 30, 1, 10), server},
		{"node http.Agent keepAlive", run(fmt.Sprintf(
			"const http = require('http'); http.get('http://127.0.0.1:%d/', {agent: new http.Agent({keepAlive: true})}, r => r.resume()); process.stdin.resume()", web)),
			web, sets("node", 1, 1, 10), httpServer},
	}
}

// java: off by default; Socket.setKeepAlive leaves the values to the sysctls,
// which since JDK 11 ExtendedSocketOptions can set.
func java(t *testing.T) []conn {
	const port = 9005
	server := held(t, port, nil)
	dir := folder(t, "nobody")
	connect := func(name, then string) int {
		source := write(t, dir, name+".java", fmt.Sprintf(`
import java.net.*;
public class %s {
	public static void main(String[] args) throws Exception {
		Socket s = new Socket("127.0.0.1", %d);
		%s
		System.in.read();
	}
}
`, name, port, then))
		uid, gid := accountIDs(t, "nobody")
		if err := os.Chown(source, int(uid), int(gid)); err != nil {
			t.Fatal(err)
		}
		return start(t, "nobody", "/usr/bin/java", "-XX:-UsePerfData", source).pid()
	}
	return []conn{
		{"java Socket", connect("Plain", ""), port, off("java"), server},
		{"java setKeepAlive(true)", connect("On", "s.setKeepAlive(true);"), port, inherits("java"), server},
		{"java TCP_KEEPIDLE 40", connect("Idle", "s.setKeepAlive(true); s.setOption(jdk.net.ExtendedSocketOptions.TCP_KEEPIDLE, 40);"),
			port, sets("java", 40, 0, 0), server},
	}
}
