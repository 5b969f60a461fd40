// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"bytes"
	"testing"

	"katrace/internal/events"
	"katrace/test/hostile"
)

// FuzzReport: whatever a recording holds, its report is written, is what the schema
// describes, and does nothing to a terminal or a browser.
func FuzzReport(f *testing.F) {
	var lines []byte
	g := night()
	g.gather(Options{}) // sorts them
	for i := range g.events {
		line := append(events.AppendJSON(nil, &g.events[i]), '\n')
		if g.events[i].Kind != events.KindHeartbeat {
			f.Add(line)
		}
		lines = append(lines, line...)
	}
	f.Add(lines)
	f.Add([]byte(`{"v":1,"time":"0001-01-01T00:00:00Z","event":"answer","idle_for_ms":9223372036854,"after_probes":3,"silent_for_ms":9223372036854}
{"v":1,"time":"9999-12-31T23:59:59Z","event":"probe","idle_for_ms":-9223372036854,"next_ms":9223372036854,"unanswered":4294967295,"verdict":"silent"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		g := NewGatherer(Options{Join: true, most: 4})
		for line := range bytes.SplitSeq(data, []byte("\n")) {
			if e, err := events.ParseJSON(line); err == nil {
				_ = g.Event(&e)
			}
		}
		r := g.Report()
		var text, json, page bytes.Buffer
		for _, err := range []error{r.WriteText(&text), r.WriteJSON(&json), r.WriteHTML(&page)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, out := range []*bytes.Buffer{&text, &json} {
			hostile.CheckPrinting(t, bytes.ReplaceAll(out.Bytes(), []byte("\n"), nil))
		}
		validate(t, json.Bytes())
		check(t, page.Bytes())
	})
}
