// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// What nf_tables' netlink messages need and package unix does not have
// (linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h).
const (
	nfBatchBegin = 0x10 // NFNL_MSG_BATCH_BEGIN
	nfBatchEnd   = 0x11 // NFNL_MSG_BATCH_END
	nfTables     = 10   // NFNL_SUBSYS_NFTABLES

	payloadDreg, payloadBase, payloadOffset, payloadLen = 1, 2, 3, 4 // NFTA_PAYLOAD_*
	transportHeader                                     = 2          // NFT_PAYLOAD_TRANSPORT_HEADER
	cmpSreg, cmpOp, cmpData                             = 1, 2, 3    // NFTA_CMP_*
	cmpEqual                                            = 0          // NFT_CMP_EQ
	dataValue                                           = 1          // NFTA_DATA_VALUE
	exprName, exprData                                  = 1, 2       // NFTA_EXPR_*
	rejectType, rejectReset                             = 1, 1       // NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST
)

// rejectOut makes the thread's network namespace refuse segments that it sends
// to that port, and answer its own socket with RST in the receiver's name: what
// nft add rule inet lab output tcp dport PORT reject with tcp reset does.
func rejectOut(port uint16) error {
	table, chain := nl.ZeroTerminated("lab"), nl.ZeroTerminated("output")
	hook := nest(unix.NFTA_CHAIN_HOOK,
		nl.NewRtAttr(unix.NFTA_HOOK_HOOKNUM, nl.BEUint32Attr(unix.NF_INET_LOCAL_OUT)),
		nl.NewRtAttr(unix.NFTA_HOOK_PRIORITY, nl.BEUint32Attr(0)),
	)
	rule := nest(unix.NFTA_RULE_EXPRESSIONS,
		expression("payload", // the destination port, into a register
			nl.NewRtAttr(payloadDreg, nl.BEUint32Attr(unix.NFT_REG_1)),
			nl.NewRtAttr(payloadBase, nl.BEUint32Attr(transportHeader)),
			nl.NewRtAttr(payloadOffset, nl.BEUint32Attr(2)),
			nl.NewRtAttr(payloadLen, nl.BEUint32Attr(2))),
		expression("cmp",
			nl.NewRtAttr(cmpSreg, nl.BEUint32Attr(unix.NFT_REG_1)),
			nl.NewRtAttr(cmpOp, nl.BEUint32Attr(cmpEqual)),
			nest(cmpData, nl.NewRtAttr(dataValue, nl.BEUint16Attr(port)))),
		expression("reject", nl.NewRtAttr(rejectType, nl.BEUint32Attr(rejectReset))),
	)
	err := sendBatch(
		nfMessage(nfBatchBegin, 0, unix.AF_UNSPEC, nfTables),
		nfMessage(nfTables<<8|unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, unix.NFPROTO_INET, 0, nl.NewRtAttr(unix.NFTA_TABLE_NAME, table)),
		nfMessage(nfTables<<8|unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, unix.NFPROTO_INET, 0,
			nl.NewRtAttr(unix.NFTA_CHAIN_TABLE, table), nl.NewRtAttr(unix.NFTA_CHAIN_NAME, chain), hook,
			nl.NewRtAttr(unix.NFTA_CHAIN_TYPE, nl.ZeroTerminated("filter"))),
		nfMessage(nfTables<<8|unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND|unix.NLM_F_ACK, unix.NFPROTO_INET, 0,
			nl.NewRtAttr(unix.NFTA_RULE_TABLE, table), nl.NewRtAttr(unix.NFTA_RULE_CHAIN, chain), rule),
		nfMessage(nfBatchEnd, 0, unix.AF_UNSPEC, nfTables),
	)
	if err != nil {
		return fmt.Errorf("reject segments to port %d by nf_tables: %w%s", port, err, hint(err))
	}
	return nil
}

func nest(kind int, children ...*nl.RtAttr) *nl.RtAttr {
	attr := nl.NewRtAttr(kind|unix.NLA_F_NESTED, nil)
	for _, child := range children {
		attr.AddChild(child)
	}
	return attr
}

func expression(name string, data ...*nl.RtAttr) *nl.RtAttr {
	return nest(unix.NFTA_LIST_ELEM, nl.NewRtAttr(exprName, nl.ZeroTerminated(name)), nest(exprData, data...))
}

// nfMessage is one message of a batch: a header, struct nfgenmsg, attributes.
func nfMessage(kind, flags int, family uint8, resource uint16, attrs ...*nl.RtAttr) []byte {
	req := nl.NewNetlinkRequest(kind, flags)
	req.AddRawData(binary.BigEndian.AppendUint16([]byte{family, unix.NFNETLINK_V0}, resource))
	for _, attr := range attrs {
		req.AddRawData(attr.Serialize())
	}
	return req.Serialize()
}

// sendBatch sends messages to nf_tables as one: all of them take effect, or
// none. One of them asks to be acknowledged; errors of the others come before
// that. It runs on a thread in the namespace.
func sendBatch(messages ...[]byte) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var batch []byte
	for _, m := range messages {
		batch = append(batch, m...)
	}
	if err := unix.Sendto(fd, batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	if err := await(fd, unix.POLLIN); err != nil {
		return err
	}
	var answer [4096]byte
	n, _, err := unix.Recvfrom(fd, answer[:], 0)
	if err != nil {
		return err
	}
	const errorAt = unix.SizeofNlMsghdr // struct nlmsgerr begins with it
	if n < errorAt+4 || binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR {
		return errors.New("an answer that is neither an error nor an acknowledgement")
	}
	if errno := int32(binary.NativeEndian.Uint32(answer[errorAt:])); errno != 0 {
		return unix.Errno(-errno)
	}
	return nil
}

// needReject says what this kernel's nf_tables lacks.
func needReject() error {
	ns, err := newNamespace()
	if err != nil {
		return err
	}
	defer ns.close()
	err = ns.do(func() error { return rejectOut(1) })
	for _, missing := range []unix.Errno{unix.EPROTONOSUPPORT, unix.EOPNOTSUPP, unix.ENOENT} {
		if errors.Is(err, missing) {
			return fmt.Errorf("no nf_tables with reject (%w): %w", err, ErrLacking)
		}
	}
	return err
}
