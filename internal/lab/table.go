// SPDX-License-Identifier: BSD-2-Clause

package lab

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Table is the rows as text, for a terminal of that width: a line or a few for
// each case, each disagreement below its row. Below 80 columns it does not get
// narrower.
func Table(rows []Row, width int) string {
	width = max(width, 80)
	cells := [][]string{{"case", "staged", "katrace said", "app read", "k/w/e", "agrees"}}
	for _, r := range rows {
		agrees := "yes"
		if !r.Agrees {
			agrees = "NO"
		}
		cells = append(cells, []string{
			r.Case, r.Staged, r.Said, r.Errno, fmt.Sprintf("%d/%d/%d", r.Kernel, r.Wire, r.Events), agrees,
		})
	}
	widths := make([]int, len(cells[0]))
	for _, row := range cells {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	share(widths, 1, 2, width-2*(len(widths)-1))

	var b strings.Builder
	for i, row := range cells {
		writeRow(&b, row, widths)
		if i == 0 {
			continue
		}
		for _, why := range rows[i-1].Why {
			for j, line := range wrap(why, width-6) {
				b.WriteString([]string{"    - ", "      "}[min(j, 1)] + line + "\n")
			}
		}
	}
	b.WriteString("\nk/w/e: probes counted by the kernel, captured on the wire, told as events\n")
	return b.String()
}

// share narrows columns i and j so that all fit into total, the wider one first.
func share(widths []int, i, j, total int) {
	rest := total
	for k, w := range widths {
		if k != i && k != j {
			rest -= w
		}
	}
	half := rest / 2
	switch {
	case widths[i]+widths[j] <= rest:
	case widths[i] <= half:
		widths[j] = rest - widths[i]
	case widths[j] <= half:
		widths[i] = rest - widths[j]
	default:
		widths[i], widths[j] = half, rest-half
	}
}

// writeRow writes one row, cells that are too long on several lines.
func writeRow(b *strings.Builder, row []string, widths []int) {
	lines := make([][]string, len(row))
	height := 1
	for i, cell := range row {
		lines[i] = wrap(cell, widths[i])
		height = max(height, len(lines[i]))
	}
	for y := range height {
		var line strings.Builder
		for i := range row {
			cell := ""
			if y < len(lines[i]) {
				cell = lines[i][y]
			}
			fmt.Fprintf(&line, "%-*s", widths[i]+2, cell)
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// wrap breaks text between words; a word that is too long is broken itself.
func wrap(text string, width int) []string {
	width = max(width, 1)
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= width {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		runes := []rune(word)
		for len(runes) > width {
			lines = append(lines, string(runes[:width]))
			runes = runes[width:]
		}
		line = string(runes)
	}
	return append(lines, line)
}
