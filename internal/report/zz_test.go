package report

import (
	"io"
	"katrace/internal/events"
	"os"
	"testing"
)

func TestTry(t *testing.T) {
	f, _ := os.Open("../../docs/images/incident.json")
	r := events.NewReader(f)
	g := NewGatherer()
	for {
		e, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Log(err)
			continue
		}
		g.Event(&e)
	}
	rep := g.Report()
	rep.WriteText(os.Stdout)
	f3, _ := os.Create("/tmp/rep/o.html")
	if err := rep.WriteHTML(f3); err != nil {
		t.Error(err)
	}
	f2, _ := os.Create("/tmp/rep/o.json")
	rep.WriteJSON(f2)
}
