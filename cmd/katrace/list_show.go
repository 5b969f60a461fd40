// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/inventory"
	"katrace/internal/owner"
)

// show writes what is wanted of the list. On a terminal a list that is made
// again and again has to fit: what is cut off is counted.
func show(l *inventory.List, o *listOptions, out *os.File, writes *writing) error {
	begun := time.Now()
	l.Sockets = slices.DeleteFunc(l.Sockets, func(s inventory.Socket) bool { return !o.wants(&s) })
	all := o.rows(l)
	screen := terminalSize(out)
	notes := o.notes(l)
	shown := all.Len()
	if most := o.most(screen, notes); most > 0 {
		shown = min(shown, most)
	}
	w := bufio.NewWriterSize(writes.watch(out), 64<<10)
	if o.watch > 0 && screen.width > 0 {
		// What a terminal shows now, and what it has scrolled by stays.
		_, _ = w.WriteString("\x1b[H\x1b[2J")
	}
	if o.output == "json" {
		var line []byte
		for i := range shown {
			line = append(all.AppendJSON(line[:0], i), '\n')
			_, _ = w.Write(line) // the error comes with Flush
		}
	} else {
		all.WriteTable(w, shown, screen.width, o.watch > 0)
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("write the list: %w", err)
	}
	say := writes.watch(os.Stderr)
	if more := all.Len() - shown; more > 0 && (screen.width == 0 || o.output == "json") {
		fmt.Fprintf(say, "katrace: … %d more (--limit)\n", more)
	}
	for _, note := range notes {
		fmt.Fprintln(say, note)
	}
	if o.remedy != "" && len(l.Sockets) > 0 {
		fmt.Fprintln(say, "katrace: to have them probe in time:", conn.Safe(o.setCommand(l.Sockets)), "("+conn.DryRun+")")
	}
	if o.debug {
		sayTook(say, l, time.Since(begun))
	}
	return nil
}

// rows are what a list shows.
type rows interface {
	Len() int
	WriteTable(w *bufio.Writer, first, width int, fit bool)
	AppendJSON(dst []byte, i int) []byte
}

// rows orders the sockets, or groups of them.
func (o *listOptions) rows(l *inventory.List) rows {
	if len(o.by) > 0 {
		return l.Groups(o.by, o.sort)
	}
	return l.Rows(o.sort)
}

// most is how many rows are shown, 0: all.
func (o *listOptions) most(screen size, notes []string) int {
	if o.limit > 0 || o.watch == 0 || screen.height == 0 || o.output == "json" {
		return o.limit
	}
	rows := screen.height - 3 // the headline, the line below the table, and that of the cursor
	if terminalSize(os.Stderr).width > 0 {
		for _, note := range notes {
			rows -= (len(note) + screen.width - 1) / screen.width
		}
	}
	return max(1, rows)
}

// notes are what is said on stderr of a list.
func (o *listOptions) notes(l *inventory.List) (lines []string) {
	for _, lack := range l.Lacks {
		if lack.Sockets > 0 {
			lines = append(lines, fmt.Sprintf("katrace: not known for %d sockets: %s", lack.Sockets, lack.What))
		} else {
			lines = append(lines, "katrace: left out: "+lack.What)
		}
	}
	for _, what := range owner.Hidden() {
		lines = append(lines, "katrace: not seen from here: "+what)
	}
	armed := 0
	for i := range l.Sockets {
		if l.Sockets[i].ArmedBeforeChange {
			armed++
		}
	}
	if armed > 0 {
		which := " (NEXT with *)"
		if len(o.by) > 0 {
			which = "" // groups have no such column
		}
		lines = append(lines, "katrace: "+conn.Count(armed, "timer")+" armed before the change"+which+": later than KEEPALIVE says, until "+conn.Rearm)
	}
	return lines
}

// sayTook says what took how long, with --debug.
func sayTook(w io.Writer, l *inventory.List, wrote time.Duration) {
	if l.Passed != nil {
		fmt.Fprintf(w, "katrace: passed over bpf: %v\n", l.Passed)
	}
	ms := func(d time.Duration) string { return d.Round(time.Millisecond).String() }
	fmt.Fprintf(w, "katrace: %d sockets listed by %s in %s: sockets %s and owners %s (at once, by %s), settings %s, writing %s\n",
		len(l.Sockets), l.Method, ms(l.Took.All+wrote), ms(l.Took.Sockets), ms(l.Took.Owners), l.Took.Scanned, ms(l.Took.Settings), ms(wrote))
}

// size is that of a terminal, in cells.
type size struct{ width, height int }

// terminalSize is zero where f is no terminal.
func terminalSize(f *os.File) size {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	switch {
	case err != nil:
		return size{}
	case ws.Col == 0 || ws.Row == 0: // a serial line's
		return size{80, 24}
	}
	return size{int(ws.Col), int(ws.Row)}
}
