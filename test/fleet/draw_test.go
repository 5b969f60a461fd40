// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"fmt"
	"html"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// draw draws the dashboard with the answers that Prometheus gives to it for a time until
// now. Grafana, which
// is in no package here, draws them in its own way.
func draw(t *testing.T, p *prometheus, every time.Duration, from time.Time, dir string) {
	t.Helper()
	to := time.Now()
	shown := to.Sub(from)
	panels := readDashboard(t).Panels
	bottom := 0
	for _, panel := range panels {
		bottom = max(bottom, panel.GridPos.Y+panel.GridPos.H)
	}
	d := &drawing{}
	d.add(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`, 24*column, bottom*line)
	d.add(`<rect width="100%%" height="100%%" fill="#f4f5f5"/>`)
	for i := range panels {
		panel := &panels[i]
		var all []drawn
		for _, target := range panel.Targets {
			expr := expression(target.Expr, every, shown.Round(time.Second))
			ask := func() ([]sample, error) { return p.queryRange(expr, from, to, every) }
			if panel.Type == "stat" || panel.Type == "bargauge" || panel.Type == "table" {
				ask = func() ([]sample, error) { return p.query(expr) }
			}
			samples, err := ask()
			if err != nil {
				t.Fatalf("%s: %v", panel.Title, err)
			}
			for _, s := range samples {
				all = append(all, drawn{s, legend(target.LegendFormat, s.Metric)})
			}
		}
		d.panel(panel, all)
	}
	d.add("</svg>")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "dashboard.svg"), []byte(d.text.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// column and line are Grafana's grid, in pixels.
const (
	column = 56
	line   = 30
)

var palette = []string{"#3274d9", "#e0752d", "#56a64b", "#d44a3a", "#8f3bb8", "#a58d4b", "#37872d", "#ba43a9", "#0a437c", "#6d1f62"}

// drawn is a series and its name.
type drawn struct {
	sample
	name string
}

// legend fills Grafana's legendFormat in; without one it is the labels' values.
func legend(format string, labels map[string]string) string {
	if format == "" {
		var words []string
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			if key != "__name__" {
				words = append(words, labels[key])
			}
		}
		return strings.Join(words, ", ")
	}
	for key, value := range labels {
		format = strings.ReplaceAll(format, "{{"+key+"}}", value)
	}
	return format
}

type drawing struct{ text strings.Builder }

func (d *drawing) add(format string, args ...any) { fmt.Fprintf(&d.text, format+"\n", args...) }

func (d *drawing) words(x, y float64, fill, more, text string) {
	d.add(`<text x="%.1f" y="%.1f" fill="%s" %s>%s</text>`, x, y, fill, more, html.EscapeString(text))
}

func (d *drawing) panel(p *panel, all []drawn) {
	x, y, w, h := float64(p.GridPos.X*column)+3, float64(p.GridPos.Y*line)+3, float64(p.GridPos.W*column)-6, float64(p.GridPos.H*line)-6
	if p.Type == "row" {
		d.words(x+4, y+18, "#24292e", `font-weight="bold" font-size="14"`, p.Title)
		return
	}
	d.add(`<rect x="%.0f" y="%.0f" width="%.0f" height="%.0f" fill="#fff" stroke="#dcdcde" rx="2"/>`, x, y, w, h)
	d.words(x+8, y+17, "#24292e", `font-weight="bold"`, p.Title)
	inner := box{x + 10, y + 26, w - 20, h - 34}
	if len(all) == 0 {
		d.words(x+w/2, y+h/2+8, "#8e8e8e", `text-anchor="middle"`, "No data")
		return
	}
	switch p.Type {
	case "stat":
		fill := "#1f60c4"
		if strings.Contains(p.Title, "now") || strings.Contains(p.Title, "lost") {
			if fill = "#37872d"; all[0].Value.value >= 1 {
				fill = "#d44a3a"
			}
		}
		d.words(x+w/2, y+h/2+22, fill, `text-anchor="middle" font-size="34"`, spelled(math.Round(all[0].Value.value), ""))
	case "bargauge", "table":
		d.bars(inner, all, p.Type == "table")
	case "heatmap":
		d.heatmap(inner, all)
	default:
		d.graph(inner, p, all)
	}
}

// box is a part of the picture.
type box struct{ x, y, w, h float64 }

// bounds are the smallest word first, as the labels upto have them.
func bound(name string) float64 {
	n, err := strconv.ParseFloat(strings.TrimSuffix(name, "s"), 64)
	switch {
	case name == "more":
		return math.MaxFloat64
	case err != nil:
		return math.Inf(1)
	}
	return n
}

func (d *drawing) bars(b box, all []drawn, sorted bool) {
	slices.SortStableFunc(all, func(a, b drawn) int {
		if sorted {
			return int(b.Value.value - a.Value.value)
		}
		if a, b := bound(a.name), bound(b.name); a != b {
			if a < b {
				return -1
			}
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	most := 1.0
	for _, s := range all {
		most = max(most, s.Value.value)
	}
	step := min(22, b.h/float64(len(all)))
	for i, s := range all {
		y := b.y + float64(i)*step
		d.words(b.x, y+13, "#24292e", "", s.name)
		d.words(b.x+b.w, y+13, "#24292e", `text-anchor="end"`, spelled(math.Round(s.Value.value), ""))
		if !sorted {
			d.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#3274d9" fill-opacity="0.7"/>`, b.x+130, y+3, (b.w-200)*s.Value.value/most, step-7)
		}
	}
}

// span is the time that the series cover.
func span(all []drawn) (from, to float64) {
	from, to = math.Inf(1), math.Inf(-1)
	for _, s := range all {
		for _, v := range s.Values {
			from, to = min(from, v.at), max(to, v.at)
		}
	}
	return from, max(to, from+1)
}

func (d *drawing) graph(b box, p *panel, all []drawn) {
	from, to := span(all)
	stack := p.FieldConfig.Defaults.Custom.Stacking.Mode == "normal"
	plot := box{b.x + 44, b.y + 2, b.w - 48, b.h - 38}
	sums := map[float64]float64{}
	most := 0.0
	for _, s := range all {
		for _, v := range s.Values {
			sums[v.at] += v.value
			if most = max(most, v.value); stack {
				most = max(most, sums[v.at])
			}
		}
	}
	most = round(most)
	for i := range 5 {
		y := plot.y + plot.h*(1-float64(i)/4)
		d.add(`<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%[3]f" stroke="#e9e9ea"/>`, plot.x, plot.x+plot.w, y)
		d.words(plot.x-4, y+4, "#6e7075", `text-anchor="end" font-size="10"`, spelled(most*float64(i)/4, p.FieldConfig.Defaults.Unit))
	}
	for i := range 4 {
		at := from + (to-from)*float64(i)/3
		anchor := [...]string{"start", "middle", "middle", "end"}[i]
		d.words(plot.x+plot.w*float64(i)/3, plot.y+plot.h+13, "#6e7075", `font-size="10" text-anchor="`+anchor+`"`, time.Unix(int64(at), 0).UTC().Format("15:04:05"))
	}
	below := map[float64]float64{}
	x := b.x
	for i, s := range all {
		if !slices.ContainsFunc(s.Values, func(p point) bool { return p.value > 0 }) && len(all) > 3 {
			continue // a line on the axis
		}
		colour := palette[i%len(palette)]
		var top, bottom []string
		for _, v := range s.Values {
			at := plot.x + plot.w*(v.at-from)/(to-from)
			base := 0.0
			if stack {
				base = below[v.at]
				below[v.at] += v.value
			}
			top = append(top, fmt.Sprintf("%.1f,%.1f", at, plot.y+plot.h*(1-(base+v.value)/most)))
			bottom = append(bottom, fmt.Sprintf("%.1f,%.1f", at, plot.y+plot.h*(1-base/most)))
		}
		slices.Reverse(bottom)
		if stack {
			d.add(`<polygon points="%s" fill="%s" fill-opacity="0.4"/>`, strings.Join(append(slices.Clone(top), bottom...), " "), colour)
		}
		d.add(`<polyline points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`, strings.Join(top, " "), colour)
		if width := 22 + 6.3*float64(len(s.name)); x+width < b.x+b.w {
			d.add(`<rect x="%.1f" y="%.1f" width="12" height="4" fill="%s"/>`, x, b.y+b.h-8, colour)
			d.words(x+16, b.y+b.h-2, "#24292e", `font-size="11"`, s.name)
			x += width
		}
	}
}

// heatmap draws cumulative buckets, each less the one below it.
func (d *drawing) heatmap(b box, all []drawn) {
	from, to := span(all)
	value := map[string]map[float64]float64{}
	for _, s := range all {
		value[s.name] = map[float64]float64{}
		for _, v := range s.Values {
			value[s.name][v.at] = v.value
		}
	}
	names := slices.SortedFunc(maps.Keys(value), func(a, b string) int {
		x, y := bound(a), bound(b)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	most := 0.0
	cells := make([]map[float64]float64, len(names))
	for i, name := range names {
		cells[i] = map[float64]float64{}
		for at, n := range value[name] {
			if i > 0 {
				n -= value[names[i-1]][at]
			}
			cells[i][at], most = n, max(most, n)
		}
	}
	step, wide := b.h/float64(len(names)), (b.w-50)/float64(max(1, len(value[names[0]])))
	for i, name := range names {
		y := b.y + b.h - float64(i+1)*step
		d.words(b.x+40, y+step/2+4, "#6e7075", `text-anchor="end" font-size="10"`, name+" s")
		for _, at := range slices.Sorted(maps.Keys(cells[i])) {
			if n := cells[i][at]; n > 0.001 {
				d.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="#e0752d" fill-opacity="%.2f"/>`, b.x+46+(b.w-50-wide)*(at-from)/(to-from), y+0.5, wide, step-1, 0.15+0.85*n/most)
			}
		}
	}
}

// round is the next larger number that is well divided by four.
func round(n float64) float64 {
	if n <= 0 {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(n)))
	for _, m := range []float64{1, 2, 4, 6, 8, 10} {
		if m*unit >= n {
			return m * unit
		}
	}
	return 10 * unit
}

// spelled is a short number.
func spelled(n float64, unit string) string {
	if unit == "s" {
		return strconv.FormatFloat(n, 'g', 3, 64) + " s"
	}
	switch {
	case n >= 1e6:
		return strconv.FormatFloat(n/1e6, 'g', 3, 64) + " M"
	case n >= 1e4:
		return strconv.FormatFloat(n/1e3, 'g', 3, 64) + " k"
	}
	return strconv.FormatFloat(n, 'g', 4, 64)
}
