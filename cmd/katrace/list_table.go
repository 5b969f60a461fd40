// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"fmt"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"katrace/internal/events"
	"katrace/internal/inventory"
)

// The columns of the table; netns only where sockets of several are shown.
const (
	colState = iota
	colLocal
	colRemote
	colOwner
	colIdle
	colKeepalive
	colSource
	colUser
	colNext
	colDies
	colNetns
	columns
)

var columnNames = [columns]string{"STATE", "LOCAL", "REMOTE", "OWNER", "IDLE", "KEEPALIVE", "SOURCE", "USER", "NEXT", "DIES", "NETNS"}

// leastOwner is what the owners' column can be cut to on a narrow terminal.
const leastOwner = 8

// writeTable writes the sockets in aligned columns. On a terminal (width > 0)
// that is too narrow the gaps go first, then long owners' names.
func writeTable(w *bufio.Writer, l *inventory.List, sockets []*inventory.Socket, width int) error {
	var widest [columns]int
	var hide [columns]bool
	hide[colNetns], hide[colUser] = true, true
	for i, name := range columnNames {
		widest[i] = len(name)
	}
	measure := func(row *[columns]string) {
		for i, cell := range row {
			widest[i] = max(widest[i], cellWidth(cell))
		}
	}
	var row [columns]string
	for _, s := range sockets {
		cells(s, &row)
		measure(&row)
		hide[colNetns] = hide[colNetns] && s.Netns == sockets[0].Netns
		hide[colUser] = hide[colUser] && s.Settings.UserTimeout == 0
	}
	total := 0
	for i := range widest {
		if !hide[i] {
			total += widest[i] + 2
		}
	}
	gap := "  "
	if width > 0 && total-2 > width {
		gap = " "
		total -= columns - 1
		if over := total - width; over > 0 {
			widest[colOwner] = max(min(widest[colOwner], leastOwner), widest[colOwner]-over)
		}
	}
	line := func(row *[columns]string) {
		var b strings.Builder
		for i, cell := range row {
			if hide[i] {
				continue
			}
			if i == colOwner {
				cell = cut(cell, widest[i])
			}
			b.WriteString(cell)
			b.WriteString(strings.Repeat(" ", max(0, widest[i]-cellWidth(cell))))
			b.WriteString(gap)
		}
		_, _ = w.WriteString(strings.TrimRight(b.String(), " ") + "\n") // the error comes with Flush
	}
	line(&columnNames)
	for _, s := range sockets {
		cells(s, &row)
		line(&row)
	}
	if width > 0 {
		_, _ = fmt.Fprintf(w, "%d sockets, %s UTC\n", len(sockets), l.Time.Format("15:04:05"))
	}
	return nil
}

// cells says a socket in words.
func cells(s *inventory.Socket, row *[columns]string) {
	*row = [columns]string{
		colState:  stateWord(s),
		colLocal:  s.Local.String(),
		colRemote: "-",
		colOwner:  ownerCell(s),
		colIdle:   span(s.IdleFor, s.Has&inventory.HasIdleFor != 0, s.Connected()),
		colUser:   "-",
		colDies:   span(s.DiesIn, s.Has&inventory.HasDiesIn != 0, false),
		colNetns:  strconv.FormatUint(uint64(s.Netns), 10),
	}
	if s.Remote.Port() != 0 {
		row[colRemote] = s.Remote.String()
	}
	row[colKeepalive], row[colSource] = keepaliveCells(s)
	if s.Settings.UserTimeout != 0 {
		row[colUser] = span(s.Settings.UserTimeout, true, false)
	}
	row[colNext] = nextCell(s)
}

// stateWord is the state's name, a frequent and long one shortened.
func stateWord(s *inventory.Socket) string {
	if s.State == events.StateEstablished {
		return "estab"
	}
	return s.State.String()
}

func ownerCell(s *inventory.Socket) string {
	e := events.Event{Process: s.Process, UID: s.UID}
	if s.Has&inventory.HasUID != 0 {
		e.Has = events.HasUID
	}
	if s.Process.PID == 0 && s.Inode == 0 {
		return "-" // an orphan
	}
	owner := string(events.AppendOwner(nil, &e))
	if s.Holders > 1 {
		owner += "+" + strconv.Itoa(s.Holders-1)
	}
	return owner
}

func keepaliveCells(s *inventory.Socket) (values, source string) {
	switch {
	case s.Has&inventory.HasOn == 0:
		if s.Connected() || s.Has&inventory.HasSettings != 0 {
			return "?", "-"
		}
		return "-", "-"
	case !s.On:
		return "off", "-"
	case s.Has&inventory.HasSettings == 0:
		return "on ?/?/?", "?"
	}
	b := events.AppendSpan(nil, s.Settings.Idle)
	b = events.AppendSpan(append(b, '/'), s.Settings.Interval)
	b = strconv.AppendInt(append(b, '/'), int64(s.Settings.Count), 10)
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
	if words[0] == words[1] && words[1] == words[2] {
		return string(b), words[0]
	}
	return string(b), strings.Join(words[:], "/")
}

func nextCell(s *inventory.Socket) string {
	switch {
	case s.Has&inventory.HasNextProbe != 0:
		return span(s.NextProbe, true, false)
	case s.WaitsFor == inventory.WaitsRetransmission:
		return "retransmit"
	case s.WaitsFor == inventory.WaitsWindowProbe:
		return "window"
	case s.WaitsFor == inventory.WaitsFinWait2:
		return "fin_wait2"
	case s.WaitsFor == inventory.WaitsProbe && s.Has&inventory.HasDiesIn == 0:
		return "?"
	}
	return "-"
}

// span says a time; where it is absent, "?" if there should be one.
func span(d time.Duration, have, expected bool) string {
	switch {
	case have:
		return string(events.AppendSpan(nil, d))
	case expected:
		return "?"
	}
	return "-"
}

// cellWidth is how many columns of a terminal the text takes.
func cellWidth(s string) int {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return lipgloss.Width(s)
		}
	}
	return len(s)
}

// cut shortens a cell to that width.
func cut(s string, width int) string {
	if cellWidth(s) <= width {
		return s
	}
	runes := []rune(s)
	for len(runes) > 0 && cellWidth(string(runes))+1 > width {
		runes = runes[:len(runes)-1]
	}
	return string(runes) + "~"
}
