// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"fmt"
	"strconv"
	"time"

	"charm.land/lipgloss/v2"

	"katrace/internal/events"
	"katrace/internal/inventory"
)

// The columns of the table; the container only where there is one, netns only
// where sockets of another one than katrace's are shown.
const (
	colState = iota
	colLocal
	colRemote
	colOwner
	colContainer
	colIdle
	colKeepalive
	colSource
	colUser
	colNext
	colDies
	colNetns
	columns
)

var columnNames = [columns]string{"STATE", "LOCAL", "REMOTE", "OWNER", "CONTAINER", "IDLE", "KEEPALIVE", "SOURCE", "USER", "NEXT", "DIES", "NETNS"}

// leastOwner is what the owners' column can be cut to on a narrow terminal.
const leastOwner = 8

// writeTable writes the sockets, the first of the list's, in aligned columns. On a terminal (width > 0)
// that is too narrow the gaps go first, then long owners' names; with fit what
// is still too wide is cut off.
func writeTable(w *bufio.Writer, l *inventory.List, sockets []*inventory.Socket, width int, fit bool) error {
	var widest [columns]int
	var hide [columns]bool
	hide[colNetns], hide[colUser], hide[colContainer] = true, true, true
	for i, name := range columnNames {
		widest[i] = len(name)
	}
	var row tableRow
	for _, s := range sockets {
		row.fill(s)
		for i := range widest {
			widest[i] = max(widest[i], cellWidth(row.cell(i)))
		}
		hide[colNetns] = hide[colNetns] && s.Netns == l.Netns
		hide[colUser] = hide[colUser] && s.Settings.UserTimeout == 0
		hide[colContainer] = hide[colContainer] && s.Container == ""
	}
	total := 0
	for i := range widest {
		if !hide[i] {
			total += widest[i] + 2
		}
	}
	gap := 2
	if width > 0 && total-2 > width {
		gap = 1
		total -= columns - 1
		if over := total - width; over > 0 {
			widest[colOwner] = max(min(widest[colOwner], leastOwner), widest[colOwner]-over)
		}
	}
	var text []byte
	line := func() {
		text = text[:0]
		room := 0 // to the next cell
		for i := range columns {
			if hide[i] {
				continue
			}
			cell := row.cell(i)
			if i == colOwner {
				cell = cut(cell, widest[i])
			}
			for range room {
				text = append(text, ' ')
			}
			text = append(text, cell...)
			room = widest[i] - cellWidth(cell) + gap
		}
		if fit && width > 0 {
			text = append(text[:0], cut(text, width)...)
		}
		_, _ = w.Write(append(text, '\n')) // the error comes with Flush
	}
	row.names()
	line()
	for _, s := range sockets {
		row.fill(s)
		line()
	}
	if width > 0 {
		if more := len(l.Sockets) - len(sockets); more > 0 {
			_, _ = fmt.Fprintf(w, "… %d more; ", more)
		}
		_, _ = fmt.Fprintf(w, "%s, %s UTC\n", count(len(l.Sockets), "socket"), l.Time.Format("15:04:05"))
	}
	return nil
}

// tableRow is the text of a row, its cells one after the other in one buffer
// that is used again: a machine may have a million sockets.
type tableRow struct {
	text []byte
	end  [columns]int
}

func (r *tableRow) cell(i int) []byte {
	if i == 0 {
		return r.text[:r.end[0]]
	}
	return r.text[r.end[i-1]:r.end[i]]
}

// names makes it the headline.
func (r *tableRow) names() {
	r.text = r.text[:0]
	for i, name := range columnNames {
		r.text = append(r.text, name...)
		r.end[i] = len(r.text)
	}
}

// fill says a socket in words.
func (r *tableRow) fill(s *inventory.Socket) {
	b := r.text[:0]
	for i := range columns {
		switch i {
		case colState:
			b = append(b, stateWord(s)...)
		case colLocal:
			b = s.Local.AppendTo(b)
		case colRemote:
			if s.Remote.Port() == 0 {
				b = append(b, '-')
			} else {
				b = s.Remote.AppendTo(b)
			}
		case colOwner:
			b = appendOwnerCell(b, s)
		case colContainer:
			if s.Container == "" {
				b = append(b, '-')
			} else {
				b = events.AppendShortID(b, s.Container)
			}
		case colIdle:
			b = appendTimeCell(b, s.IdleFor, s.Has&inventory.HasIdleFor != 0, s.Connected())
		case colKeepalive:
			b = appendKeepaliveCell(b, s)
		case colSource:
			b = appendSourceCell(b, s)
		case colUser:
			if s.Settings.UserTimeout == 0 {
				b = append(b, '-')
			} else {
				b = events.AppendSetting(b, s.Settings.UserTimeout)
			}
		case colNext:
			b = appendNextCell(b, s)
		case colDies:
			b = appendTimeCell(b, s.DiesIn, s.Has&inventory.HasDiesIn != 0, false)
		case colNetns:
			b = strconv.AppendUint(b, uint64(s.Netns), 10)
		}
		r.end[i] = len(b)
	}
	r.text = b
}

// stateWord is the state's name, a frequent and long one shortened.
func stateWord(s *inventory.Socket) string {
	if s.State == events.StateEstablished {
		return "estab"
	}
	return s.State.String()
}

func appendOwnerCell(b []byte, s *inventory.Socket) []byte {
	if s.Process.PID == 0 && s.Inode == 0 && s.HeldBy == 0 {
		return append(b, '-') // an orphan
	}
	e := events.Event{Process: s.Process, HeldBy: s.HeldBy, Module: s.Module, UID: s.UID}
	if s.Has&inventory.HasUID != 0 {
		e.Has = events.HasUID
	}
	b = events.AppendOwner(b, &e)
	if s.Holders > 1 {
		b = strconv.AppendInt(append(b, '+'), int64(s.Holders-1), 10)
	}
	return b
}

func appendKeepaliveCell(b []byte, s *inventory.Socket) []byte {
	switch {
	case s.Has&inventory.HasOn == 0 && !s.Connected() && s.Has&inventory.HasSettings == 0:
		return append(b, '-')
	case s.Has&inventory.HasOn == 0:
		return append(b, '?')
	case !s.On:
		return append(b, "off"...)
	case s.Has&inventory.HasSettings == 0:
		return append(b, "on ?/?/?"...)
	}
	b = append(events.AppendSetting(b, s.Settings.Idle), '/')
	b = append(events.AppendSetting(b, s.Settings.Interval), '/')
	return strconv.AppendInt(b, int64(s.Settings.Count), 10)
}

// appendSourceCell says who set idle, interval and count: once where it is the
// same for all of them.
func appendSourceCell(b []byte, s *inventory.Socket) []byte {
	switch {
	case s.Has&inventory.HasOn == 0 || !s.On:
		return append(b, '-')
	case s.Has&inventory.HasSettings == 0:
		return append(b, '?')
	}
	var words [3]string
	for i := range words {
		switch one := events.SettingIdle << i; {
		case s.Own&one != 0:
			words[i] = "set"
		case s.Settings.Inherited&one != 0:
			words[i] = "sysctl"
		default:
			words[i] = "?"
		}
	}
	b = append(b, words[0]...)
	if words[0] == words[1] && words[1] == words[2] {
		return b
	}
	b = append(append(b, '/'), words[1]...)
	return append(append(b, '/'), words[2]...)
}

func appendNextCell(b []byte, s *inventory.Socket) []byte {
	switch {
	case s.Has&inventory.HasNextProbe != 0:
		if b = events.AppendSpan(b, s.NextProbe); s.ArmedBeforeChange {
			b = append(b, '*')
		}
		return b
	case s.WaitsFor == inventory.WaitsRetransmission:
		return append(b, "retransmit"...)
	case s.WaitsFor == inventory.WaitsWindowProbe:
		return append(b, "window"...)
	case s.WaitsFor == inventory.WaitsFinWait2:
		return append(b, "fin_wait2"...)
	case s.WaitsFor == inventory.WaitsProbe && s.Has&inventory.HasDiesIn == 0:
		return append(b, '?')
	}
	return append(b, '-')
}

// appendTimeCell says a time; where it is absent, "?" if there should be one.
func appendTimeCell(b []byte, d time.Duration, have, expected bool) []byte {
	switch {
	case have:
		return events.AppendSpan(b, d)
	case expected:
		return append(b, '?')
	}
	return append(b, '-')
}

// cellWidth is how many columns of a terminal the text takes.
func cellWidth(s []byte) int {
	for _, c := range s {
		if c >= 0x80 {
			return lipgloss.Width(string(s))
		}
	}
	return len(s)
}

// cut shortens a cell to that width.
func cut(s []byte, width int) []byte {
	if cellWidth(s) <= width {
		return s
	}
	runes := []rune(string(s))
	for len(runes) > 0 && cellWidth([]byte(string(runes)))+1 > width {
		runes = runes[:len(runes)-1]
	}
	return []byte(string(runes) + "~")
}

// count is "1 socket", "2 sockets".
func count(n int, what string) string {
	return string(events.AppendCount(nil, uint64(n), what))
}
