// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	tea "charm.land/bubbletea/v2"

	"katrace/internal/events"
)

// dismissOne takes the selected connection off the table if it has ended.
func (m *model) dismissOne() {
	c := m.table.sel
	switch {
	case m.grouped():
		m.say("open the group first, or dismiss all that ended (X)")
	case c == nil:
		m.say("select a connection first")
	case !m.src.row(c).ended:
		m.say("this connection has not ended: only the ended can be dismissed")
	default:
		m.detail.open = false
		m.drop(map[uint64]bool{c.id: true})
	}
}

// dismissAll takes the ended connections that the table shows off it. It asks
// to be told twice: what is dismissed is gone.
func (m *model) dismissAll() {
	ids := m.src.endedIn(m.query)
	switch {
	case len(ids) == 0:
		m.say("no ended connection here")
	case m.sure <= 0:
		m.sure = 20
		m.say("X again dismisses the " + count(len(ids), "ended connection") + " shown")
	default:
		m.sure = 0
		m.detail.open = false
		m.say(count(m.drop(ids), "ended connection") + " dismissed")
	}
}

// drop dismisses from what is shown, and from what goes on behind it.
func (m *model) drop(ids map[uint64]bool) int {
	n := m.src.dismiss(ids)
	if m.src != m.live {
		m.live.dismiss(ids)
	}
	m.refresh()
	return n
}

// copyJSON sends the selected connection to the terminal's clipboard (OSC 52).
func (m *model) copyJSON() tea.Cmd {
	if m.table.sel == nil || m.grouped() {
		m.say("select a connection first")
		return nil
	}
	f := m.src.row(m.table.sel)
	e := f.event()
	encode, what := events.AppendJSON, "the latest event"
	if f.byListing() {
		encode, what = m.opt.ListedJSON, "a line of the list"
	}
	json := encode(nil, &e)
	m.say("sent " + what + " to the clipboard (OSC 52)")
	return tea.SetClipboard(string(json))
}
