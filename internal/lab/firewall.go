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
	immediateDreg, immediateData                        = 1, 2       // NFTA_IMMEDIATE_*
	dataVerdict                                         = 2          // NFTA_DATA_VERDICT
	verdictCode, verdictDrop                            = 1, 0       // NFTA_VERDICT_CODE, NF_DROP
	sourcePort, destinationPort                         = 0, 2       // in the header (RFC 9293)
)

// rejectOut makes the thread's network namespace refuse segments that it sends
// to that port, and answer its own socket with RST in the receiver's name: what
// nft add rule inet lab output tcp dport PORT reject with tcp reset does.
func rejectOut(port uint16) error {
	return firewall("output", unix.NF_INET_LOCAL_OUT, destinationPort, port,
		expression("reject", nl.NewRtAttr(rejectType, nl.BEUint32Attr(rejectReset))))
}

// dropOut makes it drop them without a word: nft add rule inet lab output tcp
// dport PORT drop.
func dropOut(port uint16) error {
	return firewall("output", unix.NF_INET_LOCAL_OUT, destinationPort, port, drop())
}

// dropIn makes it drop segments that come from that port: nft add rule inet lab
// input tcp sport PORT drop.
func dropIn(port uint16) error {
	return firewall("input", unix.NF_INET_LOCAL_IN, sourcePort, port, drop())
}

func drop() *nl.RtAttr {
	return expression("immediate",
		nl.NewRtAttr(immediateDreg, nl.BEUint32Attr(unix.NFT_REG_VERDICT)),
		nest(immediateData, nest(dataVerdict, nl.NewRtAttr(verdictCode, nl.BEUint32Attr(verdictDrop)))))
}

// firewall adds a chain with one rule: what is to be done with segments whose
// port is that one, at that place of the transport header.
func firewall(name string, hookNum uint32, portAt uint32, port uint16, do *nl.RtAttr) error {
	rule := nest(unix.NFTA_RULE_EXPRESSIONS,
		expression("payload", // the port, into a register
			nl.NewRtAttr(payloadDreg, nl.BEUint32Attr(unix.NFT_REG_1)),
			nl.NewRtAttr(payloadBase, nl.BEUint32Attr(transportHeader)),
			nl.NewRtAttr(payloadOffset, nl.BEUint32Attr(portAt)),
			nl.NewRtAttr(payloadLen, nl.BEUint32Attr(2))),
		expression("cmp",
			nl.NewRtAttr(cmpSreg, nl.BEUint32Attr(unix.NFT_REG_1)),
			nl.NewRtAttr(cmpOp, nl.BEUint32Attr(cmpEqual)),
			nest(cmpData, nl.NewRtAttr(dataValue, nl.BEUint16Attr(port)))),
		do,
	)
	if err := chainWith(name, "filter", hookNum, 0, rule); err != nil {
		return fmt.Errorf("about port %d: %w", port, err)
	}
	return nil
}

// chainWith adds a chain of that type, hook and priority, with one rule.
func chainWith(name, kind string, hookNum, priority uint32, rule *nl.RtAttr) error {
	table, chain := nl.ZeroTerminated("lab"), nl.ZeroTerminated(name)
	hook := nest(unix.NFTA_CHAIN_HOOK,
		nl.NewRtAttr(unix.NFTA_HOOK_HOOKNUM, nl.BEUint32Attr(hookNum)),
		nl.NewRtAttr(unix.NFTA_HOOK_PRIORITY, nl.BEUint32Attr(priority)),
	)
	err := sendBatch(
		nfMessage(nfBatchBegin, 0, unix.AF_UNSPEC, nfTables),
		nfMessage(nfTables<<8|unix.NFT_MSG_NEWTABLE, unix.NLM_F_CREATE, unix.NFPROTO_INET, 0, nl.NewRtAttr(unix.NFTA_TABLE_NAME, table)),
		nfMessage(nfTables<<8|unix.NFT_MSG_NEWCHAIN, unix.NLM_F_CREATE, unix.NFPROTO_INET, 0,
			nl.NewRtAttr(unix.NFTA_CHAIN_TABLE, table), nl.NewRtAttr(unix.NFTA_CHAIN_NAME, chain), hook,
			nl.NewRtAttr(unix.NFTA_CHAIN_TYPE, nl.ZeroTerminated(kind))),
		nfMessage(nfTables<<8|unix.NFT_MSG_NEWRULE, unix.NLM_F_CREATE|unix.NLM_F_APPEND|unix.NLM_F_ACK, unix.NFPROTO_INET, 0,
			nl.NewRtAttr(unix.NFTA_RULE_TABLE, table), nl.NewRtAttr(unix.NFTA_RULE_CHAIN, chain), rule),
		nfMessage(nfBatchEnd, 0, unix.AF_UNSPEC, nfTables),
	)
	if err != nil {
		return fmt.Errorf("add a rule by nf_tables (%s): %w%s", name, err, hint(err))
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

// needReject and needDrop say what this kernel's nf_tables lacks.
func needReject() error { return needFirewall("with reject ", rejectOut) }
func needDrop() error   { return needFirewall("", dropOut) }

func needFirewall(what string, rule func(port uint16) error) error {
	ns, err := newNamespace()
	if err != nil {
		return err
	}
	defer ns.close()
	err = ns.do(func() error { return rule(1) })
	for _, missing := range []unix.Errno{unix.EPROTONOSUPPORT, unix.EOPNOTSUPP, unix.ENOENT} {
		if errors.Is(err, missing) {
			return fmt.Errorf("no nf_tables %s(%w): %w", what, err, ErrLacking)
		}
	}
	return err
}
