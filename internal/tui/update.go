// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// Update takes a message. It does no I/O: a snapshot is a short look at memory.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tickMsg:
		return m, m.ticked()
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
		m.help.SetWidth(m.width)
		m.settle()
	case tea.BackgroundColorMsg:
		m.dark = msg.IsDark()
		m.restyle()
		m.settle()
	case tea.ColorProfileMsg:
		m.plain, m.few = m.opt.NoColor || msg.Profile < colorprofile.ANSI, msg.Profile == colorprofile.ANSI
		m.restyle()
		m.settle()
	case tea.KeyPressMsg:
		return m, m.pressed(msg)
	case tea.PasteMsg:
		if m.filtering {
			m.input.insert(msg.Content)
			m.setFilter(m.input.String())
		}
	case wheelMsg:
		m.wheeled(msg)
	case tea.MouseClickMsg:
		m.clicked(tea.Mouse(msg))
	}
	return m, nil
}

func (m *model) ticked() tea.Cmd {
	if m.toastTicks--; m.toastTicks <= 0 {
		m.toast = ""
	}
	m.sure--
	if m.opt.Notice != nil {
		m.notice = m.opt.Notice()
	}
	m.wheeled(m.wheel.rest())
	if m.frozen.IsZero() {
		m.refresh()
	}
	return m.tick()
}

// pressed handles a key. It ends what was said: it has been read, or is in the way.
func (m *model) pressed(k tea.KeyPressMsg) tea.Cmd {
	m.toast = ""
	switch {
	case key.Matches(k, m.keys.Suspend):
		return tea.Suspend
	case k.String() == "ctrl+c":
		return tea.Quit
	case m.filtering:
		m.edit(k)
		return nil
	}
	if !key.Matches(k, m.keys.DismissAll) {
		m.sure = 0
	}
	switch {
	case key.Matches(k, m.keys.Quit):
		return tea.Quit
	case key.Matches(k, m.keys.Help):
		m.toggle(screenHelp)
	case key.Matches(k, m.keys.Caveats):
		m.toggle(screenCaveats)
	case key.Matches(k, m.keys.Log):
		m.toggle(screenLog)
	case key.Matches(k, m.keys.Back):
		m.back()
	case key.Matches(k, m.keys.Filter):
		m.filtering = true
		m.clearFilter()
	case key.Matches(k, m.keys.Freeze):
		m.freeze()
	case key.Matches(k, m.keys.Ended):
		m.query.Ended = !m.query.Ended
		m.refresh()
	case key.Matches(k, m.keys.Group):
		m.nextGrouping()
	case key.Matches(k, m.keys.Sort) && m.grouped():
		m.sortGroups(m.groupColumnBeside(1), false)
	case key.Matches(k, m.keys.SortBack) && m.grouped():
		m.sortGroups(m.groupColumnBeside(numGroupColumns-1), false)
	case key.Matches(k, m.keys.Turn) && m.grouped():
		m.sortGroups(m.groups.sort, !m.groups.reverse)
	case key.Matches(k, m.keys.Sort):
		m.sortBy(m.columnBeside(1), false)
	case key.Matches(k, m.keys.SortBack):
		m.sortBy(m.columnBeside(numColumns-1), false)
	case key.Matches(k, m.keys.Turn):
		m.sortBy(m.query.Sort, !m.query.Reverse)
	case key.Matches(k, m.keys.Detail):
		m.openDetail()
	case key.Matches(k, m.keys.Dismiss):
		m.dismissOne()
	case key.Matches(k, m.keys.DismissAll):
		m.dismissAll()
	case key.Matches(k, m.keys.Copy):
		return m.copyJSON()
	case key.Matches(k, m.keys.CopyCommand):
		return m.copyCommand()
	default:
		m.moved(k)
	}
	m.settle()
	return nil
}

// moved handles the keys that move: the selection, or the text on the screen.
func (m *model) moved(k tea.KeyPressMsg) {
	l := m.layout()
	page, paged := l.rows-1, false
	switch {
	case l.page > 0:
		page = l.page - 2
	case m.screen == screenLog:
		page = l.log - 2
	case m.detail.open:
		page = l.detail - 2
	}
	page = max(1, page)
	var by int
	switch {
	case key.Matches(k, m.keys.ScrollUp):
		m.detail.top--
		return
	case key.Matches(k, m.keys.ScrollDown):
		m.detail.top++
		return
	case key.Matches(k, m.keys.Up):
		by = -1
	case key.Matches(k, m.keys.Down):
		by = 1
	case key.Matches(k, m.keys.PageUp):
		by, paged = -page, true
	case key.Matches(k, m.keys.PageDown):
		by, paged = page, true
	case key.Matches(k, m.keys.Top):
		by, paged = -1<<30, true
	case key.Matches(k, m.keys.Bottom):
		by, paged = 1<<30, true
	default:
		return
	}
	switch {
	case l.page > 0:
		m.pageTop += by
	case m.screen == screenLog:
		m.log.scroll(m, by)
	case m.detail.open && paged:
		m.detail.top += by
	case m.grouped():
		m.groups.move(by)
	default:
		m.move(by)
	}
}

// move moves the selection; without one, the first row on the screen is selected.
func (m *model) move(by int) {
	order := m.snap.order
	if m.table.sel == nil {
		switch by {
		case 1 << 30:
			m.table.pick(order, len(order)-1)
		case -1 << 30:
			m.table.pick(order, 0)
		default:
			m.table.pick(order, m.table.top)
		}
		return
	}
	m.table.pick(order, m.table.selAt+by)
}

func (m *model) toggle(s screen) {
	if m.screen == s {
		s = screenTable
	}
	m.screen, m.pageTop = s, 0
}

// back undoes the topmost thing: a screen, the detail, the choice of a group, the
// filter, the choice of the ended, the groups, the selection.
func (m *model) back() {
	switch {
	case m.screen != screenTable:
		m.screen = screenTable
	case m.detail.open:
		m.detail.open = false
		m.table.follow(m.snap.order, false)
	case m.query.within != nil:
		m.leaveGroup()
	case m.query.filter != nil:
		m.clearFilter()
	case m.query.Ended:
		m.query.Ended = false
		m.refresh()
	case m.grouped():
		m.groupBy(ungrouped)
	default:
		m.table.sel, m.table.top = nil, 0
	}
}

func (m *model) openDetail() {
	if m.screen != screenTable {
		return
	}
	if m.grouped() {
		m.enterGroup()
		return
	}
	if m.table.sel == nil {
		m.table.pick(m.snap.order, m.table.top)
	}
	m.detail.open = m.table.sel != nil
}

// columnBeside is the next column on the screen, step by step from the one that
// the table is sorted by.
func (m *model) columnBeside(step Column) Column {
	col := m.query.Sort
	for range numColumns {
		col = (col + step) % numColumns
		if len(m.table.placed) == 0 && !columnSpecs[col].optional || m.table.has(col) {
			break
		}
	}
	return col
}

func (m *model) sortBy(c Column, reverse bool) {
	m.query.Sort, m.query.Reverse = c, reverse
	m.refresh()
}

// edit handles a key while the filter is typed.
func (m *model) edit(k tea.KeyPressMsg) {
	switch k.String() {
	case "enter":
		m.filtering = false
		m.settle()
	case "esc":
		m.filtering = false
		m.clearFilter()
	case "up":
		if m.filterBefore != "" {
			m.setFilter(m.filterBefore)
		}
	case "down":
		m.clearFilter()
	default:
		m.input.key(k)
		m.setFilter(m.input.String())
	}
}

// clearFilter ends the filter, and keeps it to be called back.
func (m *model) clearFilter() {
	if f := m.query.filter; f != nil {
		m.filterBefore = f.text
	}
	m.setFilter("")
}

func (m *model) setFilter(text string) {
	if m.input.String() != text {
		m.input.set(text)
	}
	if m.query.filter = newFilter(text); m.query.filter != nil {
		m.query.filter.netns = m.opt.NetnsName
	}
	m.table.top, m.groups.top = 0, 0
	m.refresh()
}
