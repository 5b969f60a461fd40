// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"strconv"

	"katrace/internal/conn"
	"katrace/internal/group"
)

// keyColumns show what the sockets of a group have in common: one a key.
var keyColumns = [...]column[Group]{
	group.Remote: {
		title: "REMOTE", key: "remote.addr", help: "the peer's address",
		draw: func(dst []byte, g *Group) []byte {
			if !g.ID.Remote.IsValid() {
				return append(dst, '-')
			}
			return g.ID.Remote.AppendTo(dst)
		},
		compare: func(a, b *Group) int {
			return cmp.Or(absentLast(a.ID.Remote.IsValid(), b.ID.Remote.IsValid()), a.ID.Remote.Compare(b.ID.Remote))
		},
	},
	group.Service: {
		title: "SERVICE", key: "service.port",
		help:    `the port of the side that listens: "local:5432" is served here, "remote:5432" by the peers`,
		draw:    func(dst []byte, g *Group) []byte { return g.ID.Service.AppendTo(dst) },
		compare: func(a, b *Group) int { return a.ID.Service.Compare(b.ID.Service) },
	},
	group.Process: {
		title: "PROCESS", key: "process.comm", help: `the program's name, with its pid where one process holds all of them; "kernel" is the kernel's own`,
		draw: func(dst []byte, g *Group) []byte {
			if dst = orDash(dst, g.ID.Process.String(), conn.AppendSafe); g.PID != 0 && g.ID.Process.Held == group.HeldByProgram {
				dst = append(strconv.AppendInt(append(dst, '['), int64(g.PID), 10), ']')
			}
			return dst
		},
		compare: func(a, b *Group) int { return compareNames(a.ID.Process.String(), b.ID.Process.String()) }, cut: true,
	},
	group.Container: {
		title: "CONTAINER", key: "container", help: "its name, or the beginning of its id",
		draw: func(dst []byte, g *Group) []byte {
			return dashIfNone(dst, func(dst []byte) []byte { return g.Names.AppendContainer(dst, &g.ID) })
		},
		compare: func(a, b *Group) int {
			return cmp.Or(compareNames(a.Names.Container, b.Names.Container), compareNames(a.ID.Container, b.ID.Container))
		},
	},
	group.Pod: {
		title: "POD", key: "pod", help: "the Kubernetes pod, NAMESPACE/NAME, or its uid where its name is not known",
		draw: func(dst []byte, g *Group) []byte {
			return dashIfNone(dst, func(dst []byte) []byte { return g.Names.AppendPod(dst, &g.ID) })
		},
		compare: func(a, b *Group) int {
			return cmp.Or(comparePods(a.Names.Pod, b.Names.Pod), compareNames(a.ID.Pod, b.ID.Pod))
		}, cut: true,
	},
	group.Workload: {
		title: "WORKLOAD", key: "workload", help: "the Deployment, StatefulSet, DaemonSet, Job or CronJob of the pod, NAMESPACE/NAME: taken from the pod's name",
		draw: func(dst []byte, g *Group) []byte { return dashIfNone(dst, g.Names.AppendWorkload) },
		compare: func(a, b *Group) int {
			return comparePods(a.Names.Workload, b.Names.Workload)
		}, cut: true,
	},
	group.Settings: {
		title: "SETTINGS", key: "settings", help: "off, or idle/interval/count in force, with a user timeout where one is set",
		draw: drawSwitched,
		compare: func(a, b *Group) int {
			return cmp.Or(cmp.Compare(a.ID.On, b.ID.On), a.ID.Settings.Compare(&b.ID.Settings))
		},
	},
	group.Netns: {
		title: "NETNS", key: "netns", help: "the network namespace",
		draw:    func(dst []byte, g *Group) []byte { return strconv.AppendUint(dst, uint64(g.ID.Netns), 10) },
		compare: func(a, b *Group) int { return cmp.Compare(a.ID.Netns, b.ID.Netns) },
	},
}

// figures are the columns that groups have by whatever key, on the right of these.
var figures = []column[Group]{
	{
		name: "sockets", title: "SOCKETS", key: "sockets", help: "how many they are", right: true,
		draw:    func(dst []byte, g *Group) []byte { return strconv.AppendInt(dst, int64(g.Sockets), 10) },
		compare: byCount(func(g *Group) int { return g.Sockets }),
	},
	{
		name: "on", title: "ON", key: "on", help: `how many have keepalive on; "?" where that is not known of all`, right: true,
		draw: func(dst []byte, g *Group) []byte { return g.drawSwitch(dst, g.On) }, compare: byCount(func(g *Group) int { return g.On }),
	},
	{
		name: "off", title: "OFF", key: "off", help: "how many have it off", right: true,
		draw: func(dst []byte, g *Group) []byte { return g.drawSwitch(dst, g.Off) }, compare: byCount(func(g *Group) int { return g.Off }),
	},
	{
		name: "unanswered", title: "UNANSWERED", key: "unanswered", help: "how many have a peer that has not answered a probe; where there are any", right: true,
		draw: drawCount(func(g *Group) int { return g.Unanswered }), compare: byCount(func(g *Group) int { return g.Unanswered }),
		worth: func(g *Group, _ *List) bool { return g.Unanswered > 0 },
	},
	{
		name: "silent", title: "SILENT", key: "silent", help: "how many of these have two probes or more unanswered, as --silent has it; where there are any", right: true,
		draw: drawCount(func(g *Group) int { return g.Silent }), compare: byCount(func(g *Group) int { return g.Silent }),
		worth: func(g *Group, _ *List) bool { return g.Silent > 0 },
	},
	{
		name: "suspended", title: "SUSPENDED", key: "suspended", help: "how many wait for data to be acknowledged, or for the peer's window to open, so that keepalive has no say; where there are any", right: true,
		draw: drawCount(func(g *Group) int { return g.Suspended }), compare: byCount(func(g *Group) int { return g.Suspended }),
		worth: func(g *Group, _ *List) bool { return g.Suspended > 0 },
	},
	{
		name: "dies", title: "DIES", key: "next_death_ms",
		help: "the time until the kernel gives up the first one that is unanswered or suspended; where it gives up none of these, the first of all if the peers are silent from now on",
		draw: func(dst []byte, g *Group) []byte {
			d, ok := g.NextDeath()
			return drawTime(dst, d, ok, false)
		},
		compare: sooner,
	},
	{
		title: "KEEPALIVE", key: "settings", help: "the settings in force where it is on, and how many have each, the most frequent first", cut: true,
		draw: drawDistinct, worth: func(g *Group, _ *List) bool { return len(g.Settings) > 0 && g.ID.On == 0 },
	},
}

// groupColumns are those of groups by these keys.
func groupColumns(keys group.Keys) (columns []column[Group]) {
	for _, k := range keys {
		c := keyColumns[k]
		c.name = k.String()
		columns = append(columns, c)
	}
	return append(columns, figures...)
}

func orDash(dst []byte, name string, draw func([]byte, string) []byte) []byte {
	if name == "" {
		return append(dst, '-')
	}
	return draw(dst, name)
}

// dashIfNone appends what add appends, or a dash where that is nothing.
func dashIfNone(dst []byte, add func([]byte) []byte) []byte {
	if with := add(dst); len(with) > len(dst) {
		return with
	}
	return append(dst, '-')
}

func compareNames(a, b string) int {
	return cmp.Or(absentLast(a != "", b != ""), cmp.Compare(a, b))
}

func comparePods(a, b conn.PodName) int {
	return cmp.Or(compareNames(a.Namespace, b.Namespace), compareNames(a.Name, b.Name))
}

// byCount orders by a count, the largest first.
func byCount(of func(*Group) int) func(a, b *Group) int {
	return func(a, b *Group) int { return cmp.Compare(of(b), of(a)) }
}

func drawCount(of func(*Group) int) func([]byte, *Group) []byte {
	return func(dst []byte, g *Group) []byte {
		if n := of(g); n > 0 {
			return strconv.AppendInt(dst, int64(n), 10)
		}
		return append(dst, '-')
	}
}

// drawSwitch shows how many have keepalive on, or off.
func (g *Group) drawSwitch(dst []byte, n int) []byte {
	switch {
	case n > 0:
		return strconv.AppendInt(dst, int64(n), 10)
	case g.On+g.Off < g.Sockets:
		return append(dst, '?')
	}
	return append(dst, '-')
}

func drawSwitched(dst []byte, g *Group) []byte {
	switch {
	case g.ID.On == group.SwitchedOff:
		return append(dst, "off"...)
	case g.ID.On != group.SwitchedOn:
		return append(dst, '?')
	case g.ID.Settings == conn.Settings{}:
		return append(dst, "on ?/?/?"...)
	}
	return appendSettings(dst, &g.ID.Settings)
}

// appendSettings is what a socket's columns KEEPALIVE and USER show, in one.
func appendSettings(dst []byte, s *conn.Settings) []byte {
	if dst = s.AppendTo(dst); s.UserTimeout != 0 {
		dst = conn.AppendSetting(append(dst, " user "...), s.UserTimeout)
	}
	return dst
}

// distinctShown is how many of a group's settings the table shows.
const distinctShown = 3

func drawDistinct(dst []byte, g *Group) []byte {
	if len(g.Settings) == 0 {
		return append(dst, '-')
	}
	for i := range g.Settings {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		if i == distinctShown {
			return append(strconv.AppendInt(dst, int64(len(g.Settings)-i), 10), " more"...)
		}
		dst = appendSettings(dst, &g.Settings[i].Settings)
		if len(g.Settings) > 1 {
			dst = append(strconv.AppendInt(append(dst, " ("...), int64(g.Settings[i].Sockets), 10), ')')
		}
	}
	return dst
}
