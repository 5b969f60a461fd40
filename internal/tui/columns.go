// SPDX-License-Identifier: BSD-2-Clause

package tui

// columnSpec is how a column is laid out.
type columnSpec struct {
	title, brief string
	least        int // cells below which it is left out
	decent       int // cells it is given when it is taken in
	most         int
	flexible     bool // grows with what is in it, and keeps its width then
	right        bool // aligned to the right
}

var columnSpecs = [numColumns]columnSpec{
	ColVerdict:    {title: "VERDICT", brief: "VERDICT", least: 13, decent: 13, most: 13},
	ColRemote:     {title: "REMOTE", brief: "REMOTE", least: 9, decent: 14, most: 47, flexible: true},
	ColLocal:      {title: "LOCAL", brief: "LOCAL", least: 14, decent: 16, most: 47, flexible: true},
	ColOwner:      {title: "OWNER", brief: "OWNER", least: 8, decent: 12, most: 24, flexible: true},
	ColUnanswered: {title: "UNANSWERED", brief: "UNANS", least: 5, decent: 11, most: 17},
	ColNext:       {title: "NEXT", brief: "NEXT", least: 7, decent: 7, most: 8, right: true},
	ColDeath:      {title: "GIVES UP", brief: "DIES", least: 6, decent: 10, most: 12, right: true},
	ColRTT:        {title: "ROUND TRIPS", brief: "RTT", least: 7, decent: 7, most: 20},
	ColLast:       {title: "LAST EVENT", brief: "LAST", least: 11, decent: 14, most: 18},
}

// Which columns a narrow terminal keeps, and which grow first on a wide one.
var (
	byPriority = []Column{ColVerdict, ColRemote, ColDeath, ColUnanswered, ColOwner, ColNext, ColLast, ColRTT, ColLocal}
	// The same where rows have one remote address: there the local port tells them apart.
	byPriorityTwins = []Column{ColVerdict, ColRemote, ColLocal, ColDeath, ColUnanswered, ColOwner, ColNext, ColLast, ColRTT}
	byHunger        = []Column{ColRemote, ColOwner, ColLocal, ColRTT, ColDeath, ColLast, ColUnanswered, ColNext}
)

// portWidth is what a local port alone needs, with its colon.
const portWidth = 6

// remoteLeast is what the remote address keeps where the giving up needs room.
const remoteLeast = 15

// placed is a column on the screen.
type placed struct {
	col   Column
	x, w  int
	title string
}

// place lays out the columns on width cells: taken in by priority, grown to
// what they want, in the fixed order of the table. Where not even the verdict
// fits as a word, its sign alone stands before the remote address. twins says that
// rows are told apart by their local end alone: of it at least the port stays.
func place(width int, wants [numColumns]int, twins bool) []placed {
	const cursor = 1
	gap := 1
	if width >= 150 {
		gap = 2
	}
	var w [numColumns]int
	left := width - cursor
	priority := byPriority
	if twins {
		priority = byPriorityTwins
	}
	for i, col := range priority {
		spec := columnSpecs[col]
		need := spec.decent
		if twins && col == ColLocal {
			spec.least, need = portWidth, portWidth
		}
		if col == ColRemote { // an IPv4 address is never cut, if that can be helped
			need = min(max(need, wants[col]), 21)
		}
		if i > 0 {
			left -= gap
		}
		if need > left {
			need = max(spec.least, min(need, left))
		}
		if col == ColVerdict && width < 32 {
			need = 1
		}
		if spare := w[ColRemote] - remoteLeast; need > left && (col == ColDeath || twins && col == ColLocal) && spare > 0 {
			// How long it has left, and which it is, matter more than the whole address.
			take := min(spare, need-left)
			w[ColRemote] -= take
			left += take
		}
		if need > left {
			left += gap
			break // what is less important does not overtake
		}
		w[col] = need
		left -= need
	}
	for _, col := range byHunger {
		spec := columnSpecs[col]
		want := spec.most
		if spec.flexible {
			want = min(want, wants[col])
		}
		if w[col] > 0 && want > w[col] && left > 0 {
			more := min(want-w[col], left)
			w[col] += more
			left -= more
		}
	}
	var out []placed
	x := cursor
	for col := range numColumns {
		if w[col] == 0 {
			continue
		}
		title := columnSpecs[col].title
		if len(title)+1 > w[col] {
			title = columnSpecs[col].brief
		}
		out = append(out, placed{col, x, w[col], title})
		x += w[col] + gap
	}
	if len(out) == 0 && width > 0 {
		out = append(out, placed{ColVerdict, 0, 1, ""})
	}
	return out
}
