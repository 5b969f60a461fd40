// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
)

// Run shows the store on the terminal until the user quits, ctx ends, or a
// SIGINT or SIGTERM comes: nil then. The terminal is restored in every case, a
// panic of the view included; that one is an error.
func Run(ctx context.Context, s *Store, opt Options) error {
	opt = opt.in(os.Getenv)
	m := newModel(s, opt)
	options := []tea.ProgramOption{tea.WithFilter(m.wheel.filter)}
	if opt.NoColor {
		options = append(options, tea.WithColorProfile(colorprofile.ASCII))
	}
	p := tea.NewProgram(m, options...)
	// Not tea.WithContext, which kills the program: a Quit restores the
	// terminal the orderly way.
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-ctx.Done():
			p.Quit()
		case <-done:
		}
	}()
	_, err := p.Run()
	if err == nil || errors.Is(err, tea.ErrInterrupted) {
		return nil
	}
	return fmt.Errorf("live view: %w", err)
}

// in takes over what the environment says of the terminal.
func (o Options) in(getenv func(string) string) Options {
	o.NoColor = o.NoColor || getenv("NO_COLOR") != ""
	o.ASCII = o.ASCII || !localeIsUTF8(getenv)
	return o
}

// localeIsUTF8 tells whether the terminal is said to take UTF-8, as setlocale(3)
// finds it: the first of these that is set decides.
func localeIsUTF8(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
