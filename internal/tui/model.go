// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"time"

	"charm.land/bubbles/v2/help"
	tea "charm.land/bubbletea/v2"
)

// screen is what the body of the view shows.
type screen uint8

const (
	screenTable screen = iota // with the detail beside it where it is open
	screenLog
	screenHelp
	screenCaveats
)

// model is the one tea.Model. Its panes are plain structs.
type model struct {
	opt   Options
	live  *Store // gets the events
	src   *Store // shown: live, or a frozen copy
	theme *theme
	keys  keyMap
	help  help.Model
	input input
	wheel *wheel

	width, height int
	dark, plain   bool
	few           bool // 16 colours

	query   Query
	snap    Snapshot
	started time.Time
	notice  string

	screen       screen
	table        table
	groups       groupTable
	detail       detail
	log          logPane
	pageTop      int // lines scrolled of a page of text
	filtering    bool
	filterBefore string // the filter that was cleared last

	frozen        time.Time // zero: not frozen
	frozenTotal   uint64
	frozenWithout int // connections that the frozen copy does not hold

	toast      string
	toastTicks int // for how many more ticks it is shown
	copied     struct {
		of uint64 // the connection whose command was copied last
		n  int    // which is the next
	}
	sure int // for how many more ticks a second DismissAll is a yes
}

func newModel(s *Store, opt Options) *model {
	opt = opt.withDefaults()
	m := &model{opt: opt, live: s, src: s, keys: newKeyMap(opt.ASCII), help: help.New(),
		wheel: new(wheel), dark: true, plain: opt.NoColor}
	m.log.size = opt.MaxLog
	m.restyle()
	return m
}

// restyle makes the theme anew after something that it depends on was learnt.
func (m *model) restyle() {
	t := newTheme(look{dark: m.dark, ascii: m.opt.ASCII, plain: m.plain, few: m.few})
	t.netnsName = m.opt.NetnsName
	m.theme = t
	m.help.ShortSeparator, m.help.Ellipsis = t.glyph.sep, t.glyph.ellipsis
	m.help.Styles = t.help
}

// tickMsg is the time for the next snapshot.
type tickMsg struct{}

// tickEvery is how often a snapshot is taken: countdowns run smoothly, and the
// eye sees no more.
const tickEvery = 200 * time.Millisecond

// tick asks for the next one. A snapshot that takes long, with very many
// connections, is taken less often: the view never uses more than a tenth of
// a core for them.
func (m *model) tick() tea.Cmd {
	d := max(tickEvery, min(10*m.snap.Took, 2*time.Second))
	return tea.Tick(d, func(time.Time) tea.Msg { return tickMsg{} })
}

// Init starts the ticking and asks the terminal for its background.
func (m *model) Init() tea.Cmd {
	m.refresh()
	return tea.Batch(m.tick(), tea.RequestBackgroundColor)
}

// refresh takes a snapshot and brings the panes up to it.
func (m *model) refresh() {
	m.src.Snapshot(m.query, m.log.last, &m.snap)
	if m.started.IsZero() || m.snap.At.Before(m.started) {
		m.started = m.snap.At
	}
	if m.frozen.IsZero() {
		m.log.take(m.snap.log, m.snap.Total)
	}
	if m.grouped() {
		started := time.Now()
		m.groups.take(m.theme, m.src.groups(m.query, m.groups.by, m.snap.At))
		m.snap.Took += time.Since(started)
	}
	m.table.follow(m.snap.order, m.detail.open)
	m.settle()
}

// settle brings the selection, the detail and the windows in line with each
// other after any of them has changed.
func (m *model) settle() {
	l := m.layout()
	m.table.scroll(len(m.snap.order), l.rows)
	m.groups.scroll(l.rows)
	m.detail.load(m)
	m.detail.clamp(l.detail)
	m.log.clamp(m, l.log)
}

// now is the moment that the frame shows.
func (m *model) now() nanos { return m.snap.At.UnixNano() }

// say shows a sentence beside the keys in the footer, until a key is pressed or
// for about four seconds.
func (m *model) say(s string) { m.toast, m.toastTicks = s, 20 }

// freeze stops or takes up again the taking of snapshots.
func (m *model) freeze() {
	if !m.frozen.IsZero() {
		m.frozen, m.src, m.frozenWithout = time.Time{}, m.live, 0
		m.reselect()
		m.refresh()
		return
	}
	m.refresh()
	m.frozen, m.frozenTotal = m.snap.At, m.snap.Total
	m.src = m.live.freeze(m.snap.order)
	m.frozenWithout = max(0, m.snap.Kept()-len(m.src.conns))
	m.reselect()
	m.refresh()
}

// reselect finds the selected connection in the store that is shown now: a
// frozen copy has copies of the connections.
func (m *model) reselect() {
	if m.table.sel != nil {
		m.table.sel = m.src.byID(m.table.sel.id)
	}
}
