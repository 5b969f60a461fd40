// SPDX-License-Identifier: BSD-2-Clause

package programs

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// asContained makes the test binary the program of a container: it has a connection
// to itself, whose client's end does nothing about keepalive.
const asContained = "KATRACE_TEST_PROGRAMS_CONTAINED"

// contained says the client's port, and for each line what its own getsockopt says.
func contained() {
	listener := net.ListenConfig{KeepAlive: -1}
	l, err := listener.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	dialer := net.Dialer{KeepAlive: -1}
	c, err := dialer.Dial("tcp4", l.Addr().String())
	if err != nil {
		fmt.Println(err)
		return
	}
	peer, err := l.Accept()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = peer.Close() }()
	fmt.Println(c.LocalAddr().(*net.TCPAddr).Port)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		raw, _ := c.(*net.TCPConn).SyscallConn() // it is open
		_ = raw.Control(func(fd uintptr) {
			get := func(level, option int) int {
				n, _ := unix.GetsockoptInt(int(fd), level, option)
				return n
			}
			fmt.Println(get(unix.SOL_SOCKET, unix.SO_KEEPALIVE) != 0, get(unix.IPPROTO_TCP, unix.TCP_KEEPIDLE), get(unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), get(unix.IPPROTO_TCP, unix.TCP_KEEPCNT))
		})
	}
}

// container runs that program in a container of runc's, in the cgroup that Docker
// makes, and returns the container's id and the client's port.
func container(t *testing.T) (p *process, id, port string) {
	t.Helper()
	dir := folder(t, "root")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rootfs", "contained"), self, 0o755); err != nil {
		t.Fatal(err)
	}
	id = strings.Repeat("c0de5e7a", 8)
	run(t, "", "/usr/sbin/runc", "spec", "--bundle", dir)
	file := filepath.Join(dir, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	process, linux := all["process"].(map[string]any), all["linux"].(map[string]any) // runc has just made them
	process["terminal"], process["args"], process["env"] = false, []string{"/contained"}, []string{asContained + "=1"}
	linux["cgroupsPath"] = "/docker/" + id
	if text, err = json.Marshal(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	p = start(t, "", "/usr/sbin/runc", "run", "--bundle", dir, id)
	t.Cleanup(func() { _ = exec.Command("/usr/sbin/runc", "delete", "--force", id).Run() })
	port = p.line(t, 0)
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		t.Fatalf("the container's program, which has to be built with CGO_ENABLED=0, says no port: %s", p.said)
	}
	return p, id, port
}
