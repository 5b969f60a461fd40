// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxNetns bounds the network namespaces whose listeners are read in /proc.
const maxNetns = 1 << 10

// readListeners reads which sockets listen in the network namespaces that were
// asked for, now or before. /proc/PID/fd does not tell; /proc/PID/net does, for
// the namespace that the process is in, and needs no privilege beyond those
// for looking at the process.
func (b *background) readListeners(missed map[want]bool) {
	for w := range missed {
		if w.inode == 0 && len(b.netns) < maxNetns {
			b.netns[w.listening.netns] = true
		}
	}
	if len(b.netns) == 0 {
		return
	}
	pids, err := pids()
	if err != nil {
		return
	}
	read := map[uint32]bool{}
	for _, pid := range pids {
		at := taskPath(pid, pid)
		var st unix.Stat_t
		if unix.Stat(at+"/ns/net", &st) != nil || !b.netns[uint32(st.Ino)] || read[uint32(st.Ino)] {
			continue
		}
		read[uint32(st.Ino)] = true
		for _, table := range [...]string{"/net/tcp", "/net/tcp6"} {
			if f, err := os.Open(at + table); err == nil {
				eachListener(bufio.NewReader(f), func(s Listening) {
					s.Netns, s.IPv6 = uint32(st.Ino), table == "/net/tcp6"
					b.listens.Add(s)
				})
				_ = f.Close()
			}
		}
		if len(read) == len(b.netns) {
			return
		}
	}
	b.netns = read // the others are gone, or nobody is in them
}

// eachListener reads /proc/net/tcp or tcp6 as far as the sockets go that listen:
// they come first (tcp_seek_last_pos).
func eachListener(in *bufio.Reader, yield func(Listening)) {
	_, _ = in.ReadSlice('\n') // the headline
	for {
		line, err := in.ReadSlice('\n')
		fields := bytes.Fields(line)
		if err != nil || len(fields) < 10 || string(fields[3]) != "0A" { // TCP_LISTEN
			return
		}
		local, ok := parseHexAddr(fields[1])
		inode, err := strconv.ParseUint(string(fields[9]), 10, 64)
		if ok && err == nil && inode != 0 {
			yield(Listening{Local: local, Inode: inode})
		}
	}
}

// parseHexAddr reads "0100007F:1F40": words of 32 bits in the machine's byte
// order, and the port.
func parseHexAddr(text []byte) (netip.AddrPort, bool) {
	host, port, ok := bytes.Cut(text, []byte(":"))
	var b [16]byte
	n, err := hex.Decode(b[:], host[:min(len(host), 2*len(b))])
	p, perr := strconv.ParseUint(string(port), 16, 16)
	if !ok || err != nil || perr != nil || n != 4 && n != 16 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < n; i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	addr, _ := netip.AddrFromSlice(b[:n])
	return netip.AddrPortFrom(addr, uint16(p)), true
}
