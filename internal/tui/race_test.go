// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// TestReaderAndView lets events come while the view is used; it is for the
// race detector.
func TestReaderAndView(t *testing.T) {
	opt := Options{MaxConns: 500, MaxEnded: 50}
	s := NewStore(opt)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		c := &churn{n: 700, at: time.Now()}
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := s.Event(c.next()); err != nil {
				t.Error(err)
				return
			}
		}
	})
	m := newModel(s, opt)
	m.Init()
	m.Update(tea.WindowSizeMsg{Width: 120, Height: 60})
	keys := []rune{'j', 's', 'r', tea.KeyEnter, tea.KeySpace, 'd', 'd', tea.KeySpace, tea.KeyEscape, 'L', 'k', 'L', '/', '9', tea.KeyEscape, 'y', 'X', 'X'}
	for i := range 150 {
		k := tea.KeyPressMsg{Code: keys[i%len(keys)]}
		if k.Code < 0x100 && k.Code > ' ' {
			k.Text = string(k.Code)
		}
		m.Update(k)
		m.Update(tickMsg{})
		m.View()
	}
	close(stop)
	wg.Wait()
}
