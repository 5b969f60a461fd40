// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// disagreeOnKeys gives each end a key of its own (RFC 2385). The kernel takes
// one in any state (since 5.8).
func (s *stage) disagreeOnKeys() error {
	s.capture.deafen()
	return errors.Join(s.app.sign(s.remote.Addr(), "one"), s.peer.sign(s.local.Addr(), "another"))
}

// sign makes the socket sign what it sends to an IPv4 address, and drop what
// comes from there with another signature.
func (s *socket) sign(to netip.Addr, key string) error {
	sig := unix.TCPMD5Sig{Addr: unix.SockaddrStorage{Family: unix.AF_INET}, Keylen: uint16(len(key))}
	// struct sockaddr_in: the address comes after the port.
	for i, b := range to.As4() {
		sig.Addr.Data[2+i] = b
	}
	copy(sig.Key[:], key)
	err := s.control(func(fd int) error { return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig) })
	if err != nil {
		return fmt.Errorf("set an MD5 key: %w", err)
	}
	return nil
}

// needMD5 says that this kernel has no TCP MD5 (CONFIG_TCP_MD5SIG, and md5).
func needMD5() error {
	s, err := newTCP(loopback4, unix.IPPROTO_TCP, "signing")
	if err != nil {
		return err
	}
	defer s.close()
	err = s.sign(loopback4, "key")
	for _, missing := range []unix.Errno{unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.ENOENT} {
		if errors.Is(err, missing) {
			return fmt.Errorf("no TCP MD5 (%w): %w", err, ErrLacking)
		}
	}
	return err
}
