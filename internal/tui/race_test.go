// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// TestReaderAndView lets events and listings come while the view is used; it is
// for the race detector, and counts at the end what is left.
func TestReaderAndView(t *testing.T) {
	opt := Options{MaxConns: 500, MaxListed: 100, MaxEnded: 50}
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
	wg.Go(func() {
		c := &churn{n: 900, at: time.Now()}
		for {
			select {
			case <-stop:
				return
			default:
			}
			l := s.Listing()
			for range c.n / 2 {
				l.Add(c.socket())
			}
			l.Done(0)
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
	var counted, unseen int
	for _, n := range s.counts {
		counted += n
	}
	for _, c := range s.conns {
		if !c.seen {
			unseen++
		}
	}
	if counted != len(s.conns) || unseen != s.unseen || unseen > opt.MaxListed || s.seen() > opt.MaxConns {
		t.Errorf("%d rows, %d counted; %d unseen, %d counted; %d seen", len(s.conns), counted, unseen, s.unseen, s.seen())
	}
}
