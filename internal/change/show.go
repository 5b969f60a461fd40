// SPDX-License-Identifier: BSD-2-Clause

package change

import (
	"bufio"
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/charmbracelet/x/ansi"

	"katrace/internal/conn"
)

// AppendJSON appends the result as one object, without a newline: the keys of
// the event stream and of katrace list, and those of docs/set.schema.json.
func (r *Result) AppendJSON(dst []byte, now time.Time) []byte {
	dst = now.UTC().AppendFormat(append(dst, `{"v":1,"time":"`...), "2006-01-02T15:04:05.000000000Z")
	dst = r.Socket.AppendKeys(append(dst, '"'))
	if r.Socket.Holders > 1 {
		dst = conn.AppendUint(dst, "holders", uint64(r.Socket.Holders))
	}
	if r.Subflows > 0 {
		dst = conn.AppendUint(dst, "subflows", uint64(r.Subflows))
	}
	if r.Before.Known != 0 {
		dst = r.Before.AppendKeys(append(dst, `,"before":`...))
		dst = r.After.AppendKeys(append(dst, `,"after":`...))
	}
	dst = append(dst, `,"changes":[`...)
	for i, name := range r.Changes.Names() {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = strconv.AppendQuote(dst, name)
	}
	dst = appendSources(append(dst, ']'), r.Sourced)
	if r.Timer != nil {
		dst = conn.AppendMillis(dst, "timer_before_ms", r.Timer.Was)
		dst = conn.AppendMillis(dst, "timer_after_ms", r.Timer.Next)
	}
	dst = conn.AppendWord(dst, "result", r.Outcome.String())
	return append(conn.AppendText(dst, "reason", r.Reason), '}')
}

var titles = [...]string{"NETNS", "LOCAL", "REMOTE", "OWNER", "CONTAINER", "BEFORE", "AFTER", "RESULT"}

// row is what the table shows of a result, a cell a title.
func (r *Result) row() (cells [len(titles)]string) {
	s := r.Socket
	remote, owner := "*", s.AppendOwner(nil)
	if s.Remote.IsValid() {
		remote = s.Remote.String()
	}
	if s.Holders > 1 {
		owner = strconv.AppendInt(append(owner, '+'), int64(s.Holders-1), 10)
	}
	before, after := r.Before.AppendText(nil), r.After.AppendText(nil)
	if r.Timer != nil {
		before = conn.AppendSpan(append(before, ", next "...), r.Timer.Was)
		after = conn.AppendSpan(append(after, ", next "...), r.Timer.Next)
	}
	container := cmp.Or(string(s.AppendContainer(nil)), "-")
	return [...]string{strconv.Itoa(int(s.Netns)), s.Local.String(), remote, string(owner), container, string(before), string(after), r.words()}
}

func (r *Result) words() string {
	switch r.Outcome {
	case AsWanted:
		return "as wanted"
	case WouldChange:
		return "would change"
	case Changed:
		return "changed"
	case Closed:
		return "closed"
	default:
		return "NOT changed: " + conn.Safe(r.Reason)
	}
}

// WriteTable writes the results in aligned columns. Its errors come with w.Flush.
func WriteTable(w *bufio.Writer, results []*Result) {
	rows := [][len(titles)]string{titles}
	for _, r := range results {
		rows = append(rows, r.row())
	}
	var wide [len(titles)]int
	for _, row := range rows {
		for i, cell := range row {
			wide[i] = max(wide[i], ansi.StringWidth(cell))
		}
	}
	hide := [len(titles)]bool{ // where all are of one namespace, and in no container
		0: !slices.ContainsFunc(rows[1:], func(r [len(titles)]string) bool { return r[0] != rows[1][0] }),
		4: !slices.ContainsFunc(rows[1:], func(r [len(titles)]string) bool { return r[4] != "-" }),
	}
	for _, row := range rows {
		room := 0
		for i, cell := range row {
			if hide[i] {
				continue
			}
			for range room {
				_ = w.WriteByte(' ')
			}
			_, _ = w.WriteString(cell)
			room = wide[i] - ansi.StringWidth(cell) + 2
		}
		_ = w.WriteByte('\n')
	}
}
