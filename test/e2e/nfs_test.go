// SPDX-License-Identifier: BSD-2-Clause

package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"katrace/internal/conn"
)

// nfsLease, seconds, is long enough for the client to ask for nothing meanwhile.
const nfsLease = 3600

// nfsPort is where the kernel's NFS server listens, in its own network namespace.
const nfsPort = 2049

// nfs is a mount by NFS of the kernel's own server, over TCP on loopback: both
// ends of the connection are sockets that no process has opened.
type nfs struct {
	ns   *os.File // the network namespace of both ends
	inum uint32   // its number
	dir  string   // what nfsd is told by
	tree string   // what it exports
	mnt  string
}

// newNFS starts the server; nil where the kernel has none, and what is missing.
func newNFS(t *testing.T) (n *nfs, missing string) {
	t.Helper()
	if text, err := os.ReadFile("/proc/filesystems"); err != nil {
		t.Fatal(err)
	} else if !strings.Contains(string(text), "\tnfsd\n") || !strings.Contains(string(text), "\tnfs4\n") {
		return nil, "this kernel has no nfsd or no nfs4, or their modules are not loaded"
	}
	n = &nfs{dir: t.TempDir(), tree: t.TempDir(), mnt: t.TempDir()}
	inNamespace(t, nil, func() error {
		lo, err := netlink.LinkByName("lo")
		if err == nil {
			err = netlink.LinkSetUp(lo)
		}
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
			return err
		}
		n.inum = uint32(st.Ino)
		if n.ns, err = os.Open("/proc/thread-self/ns/net"); err != nil {
			return err
		}
		return n.serve(t)
	})
	return n, ""
}

// serve starts one thread of nfsd for NFS 4 alone, which needs no rpcbind, no
// lockd and no mountd: what mountd would answer to the kernel it knows already.
func (n *nfs) serve(t *testing.T) error {
	if err := unix.Mount("nfsd", n.dir, "nfsd", 0, ""); err != nil {
		return fmt.Errorf("mount nfsd: %w", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(n.dir, unix.MNT_DETACH) })
	// The file system that every guest's root is made of cannot be exported.
	if err := unix.Mount("nfs", n.tree, "tmpfs", 0, ""); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(n.tree, unix.MNT_DETACH) })
	const never = 1 << 31 // the time when an answer is to be forgotten
	const rpc = "/proc/thread-self/net/rpc/"
	for _, w := range []struct{ file, text string }{
		{filepath.Join(n.dir, "versions"), "-2 -3 +4"},
		{filepath.Join(n.dir, "nfsv4leasetime"), strconv.Itoa(nfsLease)},
		{filepath.Join(n.dir, "portlist"), fmt.Sprintf("tcp %d", nfsPort)},
		{filepath.Join(n.dir, "threads"), "1"},
		// As mountd answers (nfs-utils, support/export/cache.c): 127.0.0.1 is a client
		// of this domain, its root (a file handle with fsid 0, type FSID_NUM) is the tree.
		{rpc + "auth.unix.ip/channel", fmt.Sprintf("nfsd 127.0.0.1 %d katrace", never-1)},
		{rpc + "nfsd.export/channel", fmt.Sprintf("katrace %s %d %d 65534 65534 0", n.tree, never-1, 0x2425)},
		{rpc + "nfsd.fh/channel", fmt.Sprintf(`katrace 1 \x00000000 %d %s`, never-1, n.tree)},
	} {
		if err := os.WriteFile(w.file, []byte(w.text+"\n"), 0); err != nil {
			return err
		}
	}
	// An end of the server ends its sockets, which keep the namespace.
	t.Cleanup(func() {
		if err := os.WriteFile(filepath.Join(n.dir, "threads"), []byte("0\n"), 0); err != nil {
			t.Errorf("end nfsd: %v", err)
		}
	})
	return nil
}

// mount makes the connection.
func (n *nfs) mount(t *testing.T) {
	t.Helper()
	inNamespace(t, n.ns, func() error {
		err := unix.Mount("127.0.0.1:/", n.mnt, "nfs4", 0, "addr=127.0.0.1,clientaddr=127.0.0.1,vers=4.2,proto=tcp,timeo=20")
		if err != nil {
			return fmt.Errorf("mount nfs4: %w", err)
		}
		return nil
	})
	t.Cleanup(func() {
		if err := unix.Unmount(n.mnt, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount %s: %v", n.mnt, err)
		}
	})
}

// namespace is its path, for --netns.
func (n *nfs) namespace() string { return fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), n.ns.Fd()) }

// settings are those that sunrpc gives the client's end, by
// xs_tcp_default_timeout: see xs_tcp_set_socket_timeouts(). (A lease of less than
// three minutes would take their place, and the client would ask the server again
// before the first probe: nfs4_set_lease_period().)
func (n *nfs) settings() conn.Settings {
	return conn.Settings{Idle: time.Minute, Interval: time.Minute, Count: 3, UserTimeout: 3 * time.Minute}
}

// held is what the list says of one end.
type held struct {
	HeldBy    string `json:"held_by"`
	Module    string
	Process   *conn.Process
	Keepalive struct {
		On          bool
		Idle        int64 `json:"idle_ms"`
		Interval    int64 `json:"intvl_ms"`
		Count       int   `json:"cnt"`
		UserTimeout int64 `json:"user_timeout_ms"`
	}
}

// listed lists both ends of the connection, by their local port: 0 is the client's.
func (n *nfs) listed(t *testing.T, method string) map[uint16]held {
	t.Helper()
	out, stderr, status := katrace(t, "list", "--method", method, "--netns", n.namespace(), "--state", "established", "-o", "json")
	if status != 0 {
		t.Fatalf("list --method %s: status %d: %s", method, status, stderr)
	}
	ends := map[uint16]held{}
	for line := range strings.Lines(out) {
		var end struct {
			held
			Local, Remote struct{ Port uint16 }
		}
		if err := json.Unmarshal([]byte(line), &end); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if end.Remote.Port == nfsPort {
			end.Local.Port = 0
		}
		ends[end.Local.Port] = end.held
	}
	return ends
}

// holders are what katrace has to say of both ends on this kernel: before 5.13,
// which has no bpf_snprintf, the module is not known, and without it the file that
// the client's end has may be a process's.
func (n *nfs) holders(t *testing.T) (client, server held) {
	t.Helper()
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		t.Fatal(err)
	}
	var helpers *btf.Enum
	if err := spec.TypeByName("bpf_func_id", &helpers); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(helpers.Values, func(v btf.EnumValue) bool { return v.Name == "BPF_FUNC_snprintf" }) {
		return held{}, held{HeldBy: "kernel"}
	}
	both := held{HeldBy: "kernel", Module: "sunrpc"}
	return both, both
}

// checkList: the list by BPF says that the kernel holds both ends, and which
// module, and has the settings; by netlink that is not known, and nothing is said.
func (n *nfs) checkList(t *testing.T, client, server held) {
	t.Helper()
	s := n.settings()
	client.Keepalive.On, client.Keepalive.Count = true, s.Count
	client.Keepalive.Idle, client.Keepalive.Interval, client.Keepalive.UserTimeout = s.Idle.Milliseconds(), s.Interval.Milliseconds(), s.UserTimeout.Milliseconds()
	server.Keepalive.Idle, server.Keepalive.Interval, server.Keepalive.Count = 7_200_000, 75_000, 9 // the sysctls of a new namespace
	if diff := cmp.Diff(map[uint16]held{0: client, nfsPort: server}, n.listed(t, "bpf")); diff != "" {
		t.Errorf("list --method bpf (-want +got):\n%s", diff)
	}
	var on held
	on.Keepalive.On = true
	if diff := cmp.Diff(map[uint16]held{0: on, nfsPort: {}}, n.listed(t, "netlink")); diff != "" {
		t.Errorf("list --method netlink (-want +got):\n%s", diff)
	}
}
