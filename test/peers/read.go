// SPDX-License-Identifier: BSD-2-Clause

package peers

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
)

// each calls f for each line.
func each(r io.Reader, f func(line string) error) error {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		if err := f(scanner.Text()); err != nil {
			return fmt.Errorf("line %q: %w", scanner.Text(), err)
		}
	}
	return scanner.Err()
}

// lines counts the lines with a text in them.
func lines(r io.Reader, text string) (n uint64, err error) {
	err = each(r, func(line string) error {
		if strings.Contains(line, text) {
			n++
		}
		return nil
	})
	return n, err
}

var droppedWords = regexp.MustCompile(`(\d+) packets? dropped`)

// dropped adds up what tcpdump and tshark say at their end.
func dropped(r io.Reader) (n uint64, err error) {
	err = each(r, func(line string) error {
		m := droppedWords.FindStringSubmatch(line)
		if m == nil {
			return nil
		}
		more, err := strconv.ParseUint(m[1], 10, 64)
		n += more
		return err
	})
	return n, err
}

// packetsTo counts the TCP segments to a port in a capture of Ethernet frames with
// IPv4 (pcap-savefile(5), in this machine's byte order).
func packetsTo(r io.Reader, port uint16) (n uint64, err error) {
	in := bufio.NewReaderSize(r, 1<<20)
	if _, err := in.Discard(24); err != nil {
		return 0, fmt.Errorf("the capture has no header: %w", err)
	}
	header := make([]byte, 16)
	for {
		if _, err := io.ReadFull(in, header); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, fmt.Errorf("packet %d: %w", n+1, err)
		}
		frame := make([]byte, binary.NativeEndian.Uint32(header[8:]))
		if _, err := io.ReadFull(in, frame); err != nil {
			return n, fmt.Errorf("packet %d: %w", n+1, err)
		}
		const ethernet = 14
		if len(frame) < ethernet+20 {
			continue
		}
		ip := frame[ethernet:]
		if tcp := ip[4*(ip[0]&0xf):]; len(tcp) >= 4 && binary.BigEndian.Uint16(tcp[2:]) == port {
			n++
		}
	}
}
