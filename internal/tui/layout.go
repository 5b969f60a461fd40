// SPDX-License-Identifier: BSD-2-Clause

package tui

// layout is where the panes lie on the screen, in lines from the top.
type layout struct {
	header int // lines of the header
	titles int // 1 if the table has its titles
	rows   int // lines of the table
	detail int // lines of the detail, its title with them
	log    int // lines of the log, its title with them
	page   int // lines of the help or another page of text, its title with them
	footer int // 1 if there is one

	titlesAt, rowsAt, detailAt, logAt int
}

// Heights from which the view shows more.
const (
	heightFooter = 5
	heightTitles = 6
	heightStrip  = 18 // a strip of the log below the table
	heightSplit  = 34 // table and detail at once
	heightAll    = 50 // table, detail and log at once
)

// layout divides the screen. It depends on nothing that a frame changes but
// the number of lines that the header needs.
func (m *model) layout() layout {
	var l layout
	left := m.height
	if left <= 0 || m.width <= 0 {
		return l
	}
	if m.height >= heightFooter || m.height >= 2 && (m.filtering || m.toast != "") {
		l.footer = 1
		left--
	}
	l.header = min(len(m.headerPlan()), left)
	left -= l.header
	switch {
	case m.screen == screenLog:
		l.log, l.logAt = left, l.header
		return l
	case m.screen == screenHelp || m.screen == screenCaveats:
		l.page = left
		return l
	case m.detail.open && m.height < heightSplit:
		l.detail, l.detailAt = left, l.header
		return l
	}
	if m.height >= heightTitles {
		l.titles = 1
		left--
	}
	if m.height >= heightStrip && !(m.detail.open && m.height < heightAll) {
		l.log = min(max(m.height/5, 5), 12)
		left -= l.log
	}
	if m.detail.open {
		l.detail = left * 2 / 3
		left -= l.detail
	}
	l.rows = left
	l.titlesAt = l.header
	l.rowsAt = l.titlesAt + l.titles
	l.detailAt = l.rowsAt + l.rows
	l.logAt = l.detailAt + l.detail
	return l
}
