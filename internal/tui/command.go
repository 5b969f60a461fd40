// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"

	tea "charm.land/bubbletea/v2"

	"katrace/internal/advice"
	"katrace/internal/conn"
)

// settingsAdvice is what follows from the settings, with the commands that change
// them on all the program's connections of the kind.
func (f *facts) settingsAdvice() []advice.Item {
	s := f.state()
	return advice.Settings(f.Keepalive, f.timer(), func(flags string) string { return advice.ProgramCommand(&s, f.service, flags) })
}

// byUserTimeout ends words by the command that sets a user timeout on this
// connection, where it has none.
func (f *facts) byUserTimeout(words string) advice.Item {
	if f.Has&conn.HasKeepalive == 0 || f.Keepalive.UserTimeout != 0 || f.HeldBy == conn.HeldByKernel {
		return advice.Item{Words: words + "."}
	}
	return advice.Item{Words: words, Command: f.setCommand("--user-timeout 60s")}
}

// commands are the command lines that the advice on a connection names, in its
// order.
func (f *facts) commands() (list []string) {
	add := func(i advice.Item) {
		if i.Command != "" {
			list = append(list, i.Command)
		}
	}
	if f.class() == classSuspended {
		add(f.byUserTimeout(""))
	}
	if f.settable() {
		for _, i := range f.settingsAdvice() {
			add(i)
		}
	}
	return list
}

// withCommand is the advice, with its command and the key that copies it.
func withCommand(i advice.Item) string {
	if i.Command == "" {
		return i.Words
	}
	return i.Words + ": " + i.Command + " (Y copies it; " + conn.DryRun + ")"
}

// copyCommand sends a command line that would help the selected connection to the
// terminal's clipboard (OSC 52): the first, and when it is asked again the next.
func (m *model) copyCommand() tea.Cmd {
	if m.table.sel == nil || m.grouped() {
		m.say("select a connection first")
		return nil
	}
	f := m.src.row(m.table.sel)
	list := f.commands()
	switch {
	case f.ended:
		m.say("this connection has ended: its settings cannot be changed any more")
		return nil
	case len(list) == 0:
		m.say("no change of its settings is advised: there is no command to copy")
		return nil
	}
	if m.copied.of != f.id {
		m.copied.of, m.copied.n = f.id, 0
	}
	n := m.copied.n % len(list)
	m.copied.n = n + 1
	which := ""
	if len(list) > 1 {
		which = fmt.Sprintf(" (%d of %d)", n+1, len(list))
	}
	m.say("sent to the clipboard (OSC 52)" + which + ": " + sanitize(list[n], m.theme.ascii))
	return tea.SetClipboard(list[n])
}
