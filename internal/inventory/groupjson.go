// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"strconv"
	"time"

	"katrace/internal/conn"
	"katrace/internal/group"
)

// appendJSON appends the group as one object, without a newline. The keys that a
// socket has too mean the same.
func (g *Group) appendJSON(dst []byte, listed time.Time, keys group.Keys) []byte {
	dst = listed.UTC().AppendFormat(append(dst, `{"v":1,"time":"`...), "2006-01-02T15:04:05.000000000Z")
	dst = append(dst, `","grouped_by":[`...)
	for i, k := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), k.String()...), '"')
	}
	dst = g.appendKeys(append(dst, ']'), keys)
	for _, n := range [...]struct {
		key string
		n   int
	}{{"sockets", g.Sockets}, {"on", g.On}, {"off", g.Off}, {"unanswered", g.Unanswered}, {"silent", g.Silent}, {"suspended", g.Suspended}} {
		dst = conn.AppendUint(dst, n.key, uint64(n.n))
	}
	if d, ok := g.NextDeath(); ok {
		dst = conn.AppendMillis(dst, "next_death_ms", d)
	}
	dst = append(dst, `,"settings":[`...)
	for i := range g.Settings {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = g.Settings[i].AppendValues(append(dst, '{'))
		dst = append(conn.AppendUint(dst, "sockets", uint64(g.Settings[i].Sockets)), '}')
	}
	return append(dst, "]}"...)
}

// appendKeys appends what the sockets have in common; their settings are among
// the group's.
func (g *Group) appendKeys(dst []byte, keys group.Keys) []byte {
	for _, k := range keys {
		switch k {
		case group.Remote:
			if g.ID.Remote.IsValid() {
				dst = append(g.ID.Remote.AppendTo(append(dst, `,"remote":{"addr":"`...)), `"}`...)
			}
		case group.Service:
			dst = strconv.AppendUint(append(dst, `,"service":{"port":`...), uint64(g.ID.Service.Number), 10)
			dst = append(conn.AppendWord(dst, "side", g.ID.Service.Side()), '}')
		case group.Process:
			switch g.ID.Process.Held {
			case group.HeldByKernel:
				dst = conn.AppendWord(dst, "held_by", conn.HeldByKernel.String())
			case group.HeldByProgram:
				dst = append(dst, `,"process":{`...)
				if g.PID != 0 {
					dst = append(strconv.AppendInt(append(dst, `"pid":`...), int64(g.PID), 10), ',')
				}
				dst = append(conn.AppendString(append(dst, `"comm":`...), g.ID.Process.Name), '}')
			}
		case group.Container:
			dst = conn.AppendText(conn.AppendText(dst, "container", g.ID.Container), "container_name", g.Names.Container)
		case group.Pod:
			dst = conn.AppendText(dst, "pod", g.ID.Pod)
			dst = conn.AppendText(conn.AppendText(dst, "pod_namespace", g.Names.Pod.Namespace), "pod_name", g.Names.Pod.Name)
		case group.Workload:
			if !keys.Has(group.Pod) {
				dst = conn.AppendText(dst, "pod_namespace", g.Names.Workload.Namespace)
			}
			dst = conn.AppendText(dst, "workload", g.Names.Workload.Name)
		case group.Netns:
			dst = conn.AppendUint(dst, "netns", uint64(g.ID.Netns))
		case group.Settings:
		}
	}
	return dst
}
