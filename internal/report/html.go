// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	_ "embed" // the page's template and style
	"html/template"
	"io"

	"katrace/internal/conn"
)

//go:embed report.html.tmpl
var pageSource string

//go:embed report.css
var pageStyle string

// page escapes all that it is given (html/template), names from outside included;
// these are made safe for a terminal as well, so that marks which turn the writing
// direction do nothing.
var page = template.Must(template.New("report").Funcs(template.FuncMap{
	"style":  func() template.CSS { return template.CSS(pageStyle) },
	"count":  func(n uint64) string { return thousands(n) },
	"dryRun": func() string { return conn.DryRun },
}).Parse(pageSource))

// WriteHTML writes the report as one page, which needs no network, no script and
// no other file.
func (r *Report) WriteHTML(w io.Writer) error { return page.Execute(w, htmlPage{r, r.clock()}) }

type htmlPage struct {
	*Report
	clock
}

// At is a time in the page.
func (p htmlPage) At(t Time) string { return p.at(t) }
