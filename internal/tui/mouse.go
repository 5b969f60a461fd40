// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
)

// wheelMsg is the turning of the mouse wheel since the last one, at a place on
// the screen; down is positive.
type wheelMsg struct{ x, y, by int }

// wheel gathers the many messages that a spinning wheel sends: the view is
// drawn after each message, so they must not all arrive.
type wheel struct {
	mu      sync.Mutex
	pending wheelMsg
	sent    time.Time
}

// wheelEvery is how often the turning is passed on: about once a frame.
const wheelEvery = 16 * time.Millisecond

// filter is a tea.WithFilter: it keeps mouse motion away and gathers the wheel.
func (w *wheel) filter(_ tea.Model, msg tea.Msg) tea.Msg {
	switch msg := msg.(type) {
	case tea.MouseMotionMsg, tea.MouseReleaseMsg:
		return nil
	case tea.MouseWheelMsg:
		w.mu.Lock()
		defer w.mu.Unlock()
		w.pending.x, w.pending.y = msg.X, msg.Y
		switch msg.Button {
		case tea.MouseWheelUp:
			w.pending.by--
		case tea.MouseWheelDown:
			w.pending.by++
		}
		now := time.Now()
		if now.Sub(w.sent) < wheelEvery {
			return nil
		}
		out := w.pending
		w.pending.by, w.sent = 0, now
		return out
	}
	return msg
}

// rest is what was gathered and not passed on; a tick collects it.
func (w *wheel) rest() wheelMsg {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.pending
	w.pending.by = 0
	return out
}

// wheelLines is how many lines a notch of the wheel moves.
const wheelLines = 3

// wheeled scrolls the pane under the mouse.
func (m *model) wheeled(w wheelMsg) {
	if w.by == 0 {
		return
	}
	l := m.layout()
	n := w.by * wheelLines
	switch {
	case l.page > 0:
		m.pageTop += n
	case l.log > 0 && w.y >= l.logAt && w.y < l.logAt+l.log:
		m.log.scroll(m, n)
	case l.detail > 0 && w.y >= l.detailAt && w.y < l.detailAt+l.detail:
		m.detail.top += n
	case m.grouped() && m.groups.chosen:
		m.groups.move(n)
	case m.grouped():
		m.groups.top += n
	case m.table.sel == nil:
		m.table.top += n
	default:
		m.move(n)
	}
	m.settle()
}

// clicked selects a row, opens it if it is selected already, or sorts by a column.
func (m *model) clicked(p tea.Mouse) {
	if p.Button != tea.MouseLeft || m.screen != screenTable {
		return
	}
	l := m.layout()
	switch {
	case m.grouped():
		m.clickedGroup(p, l)
	case l.titles > 0 && p.Y == l.titlesAt:
		if col, ok := hit(m.table.placed, p.X); ok {
			m.sortBy(col, col == m.query.Sort && !m.query.Reverse)
		}
	case l.rows > 0 && p.Y >= l.rowsAt && p.Y < l.rowsAt+l.rows:
		i := m.table.top + p.Y - l.rowsAt
		if i >= len(m.snap.order) {
			return
		}
		if m.table.sel == m.snap.order[i] {
			m.openDetail()
		} else {
			m.table.pick(m.snap.order, i)
		}
	}
	m.settle()
}

// clickedGroup is clicked where the table shows groups.
func (m *model) clickedGroup(p tea.Mouse, l layout) {
	switch i := m.groups.top + p.Y - l.rowsAt; {
	case l.titles > 0 && p.Y == l.titlesAt:
		if col, ok := hit(m.groups.placed, p.X); ok {
			m.sortGroups(col, col == m.groups.sort && !m.groups.reverse)
		}
	case p.Y < l.rowsAt || p.Y >= l.rowsAt+l.rows || i >= len(m.groups.rows):
	case m.groups.chosen && i == m.groups.selAt:
		m.enterGroup()
	default:
		m.groups.pick(i)
	}
}
