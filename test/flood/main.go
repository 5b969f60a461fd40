// SPDX-License-Identifier: BSD-2-Clause

// Command flood measures what katrace costs for each packet that the host drops
// and that is none of a connection with a probe out: segments of TCP without a
// socket, and datagrams to a socket that is full, as fast as one thread can send
// them on lo, in a network namespace of its own.
//
//	flood -katrace bin/katrace -attach tracepoint
//
// Packets are sent without a tracer, with katrace while no probe is out, and with
// katrace while one is, in turns; medians are shown.
package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func main() {
	katrace := flag.String("katrace", "bin/katrace", "the program to measure")
	attach := flag.String("attach", "tracepoint", "the backend")
	rounds := flag.Int("rounds", 7, "how often each is measured")
	length := flag.Duration("length", 500*time.Millisecond, "of one measurement")
	flag.Parse()
	if err := run(*katrace, *attach, *rounds, *length); err != nil {
		fmt.Fprintln(os.Stderr, "flood:", err)
		os.Exit(1)
	}
}

// floods are what is dropped: a socket to send on, what, and whither.
type flood struct {
	name string
	fd   int
	data []byte
	to   unix.Sockaddr
	each int // drops for one call
}

var states = []string{"no tracer", "no probe out", "a probe out"}

func run(katrace, attach string, rounds int, length time.Duration) error {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("make a network namespace: %w (needs root)", err)
	}
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	floods, err := prepare()
	if err != nil {
		return err
	}
	cost := map[string][]float64{}
	for range rounds {
		for state, name := range states {
			end, err := stage(state, katrace, attach)
			if err != nil {
				return err
			}
			for _, f := range floods {
				ns, err := f.send(length)
				if err != nil {
					return err
				}
				key := f.name + ", " + name
				cost[key] = append(cost[key], ns)
			}
			end()
		}
	}
	for _, f := range floods {
		base := median(cost[f.name+", "+states[0]])
		for _, name := range states {
			all := cost[f.name+", "+name]
			fmt.Printf("%-40s %6.0f ns a drop (%.0f to %.0f), %+.0f, %.2f million a second\n", f.name+", "+name, median(all),
				slices.Min(all), slices.Max(all), median(all)-base, 1e3/median(all))
		}
	}
	return nil
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

func prepare() ([]flood, error) {
	raw, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_RAW)
	if err != nil {
		return nil, err
	}
	// IPv4 and TCP headers; a RST to no socket is dropped without an answer.
	segment := make([]byte, 40)
	segment[0], segment[8], segment[9] = 0x45, 64, unix.IPPROTO_TCP
	copy(segment[12:], []byte{127, 0, 0, 1, 127, 0, 0, 1})
	binary.BigEndian.PutUint16(segment[20:], 9)
	binary.BigEndian.PutUint16(segment[22:], 10)
	segment[32], segment[33] = 5<<4, 4
	binary.BigEndian.PutUint16(segment[36:], checksum(segment))
	full, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(full, unix.SOL_SOCKET, unix.SO_RCVBUF, 1); err != nil {
		return nil, err
	}
	at := &unix.SockaddrInet4{Port: 9000, Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.Bind(full, at); err != nil {
		return nil, err
	}
	udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	for range 100 { // until it is full
		if err := unix.Sendto(udp, make([]byte, 100), 0, at); err != nil {
			return nil, err
		}
	}
	// The receiving socket takes such a packet apart, and drops each part by itself
	// (udp_queue_rcv_skb): more drops than one thread can send packets.
	const part, parts = 16, 64 // UDP_MAX_SEGMENTS
	many, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(many, unix.IPPROTO_UDP, unix.UDP_SEGMENT, part); err != nil {
		return nil, fmt.Errorf("UDP_SEGMENT: %w", err)
	}
	return []flood{
		{"TCP segment without a socket", raw, segment, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}, 1},
		{"datagram to a full socket", udp, make([]byte, 20), at, 1},
		{"64 datagrams at once to it", many, make([]byte, part*parts), at, parts},
	}, nil
}

// checksum is TCP's, of a segment with IPv4 headers and without data.
func checksum(segment []byte) uint16 {
	sum := uint32(unix.IPPROTO_TCP + 20)
	for i := 12; i < 40; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(segment[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// send returns the time that a drop took, in ns of this thread's processor.
func (f flood) send(length time.Duration) (float64, error) {
	var before, after unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &before); err != nil {
		return 0, err
	}
	n := 0
	for end := time.Now().Add(length); time.Now().Before(end); {
		for range 256 {
			if err := unix.Sendto(f.fd, f.data, 0, f.to); err != nil {
				return 0, fmt.Errorf("send: %w", err)
			}
			n += f.each
		}
	}
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &after); err != nil {
		return 0, err
	}
	used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
	return float64(used) / float64(n), nil
}

// stage attaches katrace, and leaves a probe of a connection out.
func stage(state int, katrace, attach string) (end func(), err error) {
	if state == 0 {
		return func() {}, nil
	}
	var out, say bytes.Buffer
	cmd := exec.Command(katrace, "-o", "json", "--attach", attach, "--local-port", "7001")
	cmd.Stdout, cmd.Stderr = &out, &say
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	var fds []int
	end = func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		for _, fd := range fds {
			_ = unix.Close(fd)
		}
		if n := strings.Count(out.String(), `"event":"probe"`); n != state-1 {
			fmt.Fprintf(os.Stderr, "flood: %d probes told of, not %d: %s\n", n, state-1, say.String())
		}
	}
	time.Sleep(2 * time.Second)
	if state == 2 {
		if fds, err = silent(); err != nil {
			return nil, err
		}
		time.Sleep(1500 * time.Millisecond)
	}
	return end, nil
}

// silent makes a connection, from port 7001, whose peer drops everything, with
// keepalive on: a probe after a second, and no other for a minute.
func silent() (fds []int, err error) {
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(listener)
	to := &unix.SockaddrInet4{Port: 7000, Addr: [4]byte{127, 0, 0, 1}}
	if err := unix.SetsockoptInt(listener, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return nil, err
	}
	if err := unix.Bind(listener, to); err != nil {
		return nil, err
	}
	if err := unix.Listen(listener, 1); err != nil {
		return nil, err
	}
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	for option, value := range map[int]int{unix.TCP_KEEPIDLE: 1, unix.TCP_KEEPINTVL: 60} {
		if err := unix.SetsockoptInt(client, unix.IPPROTO_TCP, option, value); err != nil {
			return nil, err
		}
	}
	for _, option := range []int{unix.SO_REUSEADDR, unix.SO_KEEPALIVE} {
		if err := unix.SetsockoptInt(client, unix.SOL_SOCKET, option, 1); err != nil {
			return nil, err
		}
	}
	if err := unix.SetsockoptLinger(client, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return nil, err
	}
	if err := unix.Bind(client, &unix.SockaddrInet4{Port: 7001, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	if err := unix.Connect(client, to); err != nil {
		return nil, err
	}
	server, _, err := unix.Accept(listener)
	if err != nil {
		return nil, err
	}
	drop := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}
	if err := unix.SetsockoptLinger(server, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		return nil, err
	}
	return []int{server, client}, unix.SetsockoptSockFprog(server, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop[0]})
}
