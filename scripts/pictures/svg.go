// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// In pixels, for a font of 14.
const (
	cellWidth  = 8.4
	cellHeight = 17
	baseline   = 13
	margin     = 12
)

// The colours of a terminal that has no opinion.
const (
	foreground = "#c0caf5"
	background = "#1a1b26"
)

// style is how a cell looks; a colour "" is the terminal's own.
type style struct {
	fg, bg          string
	bold, underline bool
	reverse         bool
}

// span is cells of one row that look the same.
type span struct {
	style
	column, width int
	text          string
}

// svg draws a screen: rows of text with SGR sequences, as tmux capture-pane -e
// prints it.
func svg(screen string, columns, rows int) []byte {
	var b bytes.Buffer
	w, h := 2*margin+cellWidth*float64(columns), 2*margin+cellHeight*rows
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d" font-family="ui-monospace,DejaVu Sans Mono,Menlo,Consolas,monospace" font-size="14">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", background)
	var now style // it lasts beyond a line's end
	for row, line := range strings.Split(strings.TrimSuffix(screen, "\n"), "\n") {
		var spans []span
		spans, now = split(line, now)
		// tmux prints no cells at a row's end that were erased (EL), and the view
		// erases the rest of its bars: in the bar's ground.
		if last := len(spans) - 1; last >= 0 && spans[last].bg != "" {
			spans[last].width = columns - spans[last].column
		}
		for _, s := range spans {
			s.draw(&b, row)
		}
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

func (s span) draw(b *bytes.Buffer, row int) {
	fg, bg := s.fg, s.bg
	if fg == "" {
		fg = foreground
	}
	if s.reverse {
		if bg == "" {
			bg = background
		}
		fg, bg = bg, fg
	}
	at := func(column int) float64 { return margin + cellWidth*float64(column) }
	y := margin + cellHeight*row
	if bg != "" {
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n", at(s.column), y, cellWidth*float64(s.width), cellHeight, bg)
	}
	text := strings.TrimLeft(s.text, " ")
	column := s.column + len(s.text) - len(text)
	text = strings.TrimRight(text, " ")
	if text == "" {
		return
	}
	fmt.Fprintf(b, `<text xml:space="preserve" x="%.1f" y="%d" textLength="%.1f" fill="%s"`, at(column), y+baseline, cellWidth*float64(ansi.StringWidth(text)), fg)
	if s.bold {
		b.WriteString(` font-weight="bold"`)
	}
	if s.underline {
		b.WriteString(` text-decoration="underline"`)
	}
	b.WriteString(">")
	_ = xml.EscapeText(b, []byte(text)) // a bytes.Buffer takes all
	b.WriteString("</text>\n")
}

// split cuts a line into spans. It begins in a style, and returns the last one.
func split(line string, now style) ([]span, style) {
	var spans []span
	p := ansi.NewParser()
	var state byte
	for column := 0; line != ""; {
		seq, width, n, next := ansi.DecodeSequence(line, state, p)
		line, state = line[n:], next
		switch {
		case width > 0:
			if last := len(spans) - 1; last >= 0 && spans[last].takes(seq, now) {
				spans[last].text += seq
				spans[last].width += width
			} else {
				spans = append(spans, span{now, column, width, seq})
			}
			column += width
		case ansi.HasCsiPrefix(seq) && p.Command() == 'm':
			now = now.sgr(p.Params())
		}
	}
	return spans, now
}

// takes tells whether a cell belongs to the span. Of a blank only the ground
// shows: which colour its text would have depends on what stood there before.
func (s *span) takes(text string, now style) bool {
	ground := func(s style) style { return style{bg: s.bg, underline: s.underline, reverse: s.reverse} }
	switch {
	case s.style == now:
		return true
	case s.reverse || ground(s.style) != ground(now):
		return false
	case strings.Trim(s.text, " ") == "":
		s.style = now
		return true
	}
	return text == " "
}

// sgr is the style after a sequence of those that tmux writes (ECMA-48, 8.3.117).
func (s style) sgr(params ansi.Params) style {
	if len(params) == 0 {
		return style{}
	}
	for i := 0; i < len(params); i++ {
		switch code := params[i].Param(0); code {
		case 0:
			s = style{}
		case 1:
			s.bold = true
		case 4:
			s.underline = true
		case 7:
			s.reverse = true
		case 22:
			s.bold = false
		case 24:
			s.underline = false
		case 27:
			s.reverse = false
		case 39:
			s.fg = ""
		case 49:
			s.bg = ""
		case 38, 48:
			var c color.Color
			n := ansi.ReadStyleColor(params[i:], &c)
			if n == 0 || c == nil {
				continue
			}
			r, g, b, _ := c.RGBA()
			hex := fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
			if code == 38 {
				s.fg = hex
			} else {
				s.bg = hex
			}
			i += n - 1
		}
	}
	return s
}
