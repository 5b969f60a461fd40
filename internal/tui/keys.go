// SPDX-License-Identifier: BSD-2-Clause

package tui

import "charm.land/bubbles/v2/key"

// keyMap is every key of the view: Update asks it, and the help is made of it.
type keyMap struct {
	Up, Down, PageUp, PageDown, Top, Bottom key.Binding
	ScrollUp, ScrollDown                    key.Binding

	Detail, Back, Log, Caveats, Help    key.Binding
	Filter, Ended, Sort, SortBack, Turn key.Binding
	Group                               key.Binding
	Freeze, Dismiss, DismissAll         key.Binding
	Copy, CopyCommand                   key.Binding
	Suspend, Quit                       key.Binding
}

func newKeyMap(ascii bool) keyMap {
	bind := func(help, desc string, keys ...string) key.Binding {
		return key.NewBinding(key.WithKeys(keys...), key.WithHelp(help, desc))
	}
	up, down := "↑/k", "↓/j"
	if ascii {
		up, down = "up/k", "down/j"
	}
	return keyMap{
		Up:         bind(up, "up", "up", "k"),
		Down:       bind(down, "down", "down", "j"),
		PageUp:     bind("pgup/b", "page up", "pgup", "b", "ctrl+b", "ctrl+u"),
		PageDown:   bind("pgdn/f", "page down", "pgdown", "f", "ctrl+f", "ctrl+d"),
		Top:        bind("g", "first", "home", "g"),
		Bottom:     bind("G", "last / follow", "end", "G"),
		ScrollUp:   bind("K", "detail up", "K", "shift+up"),
		ScrollDown: bind("J", "detail down", "J", "shift+down"),

		Detail:  bind("enter", "detail", "enter", "right", "l"),
		Back:    bind("esc", "back", "esc", "left", "h"),
		Log:     bind("L", "log", "L", "tab"),
		Caveats: bind("c", "caveats", "c"),
		Help:    bind("?", "help", "?", "f1"),

		Filter:   bind("/", "filter", "/"),
		Ended:    bind("d", "only the ended", "d"),
		Group:    bind("t", "groups", "t"),
		Sort:     bind("s", "sort", "s", ">"),
		SortBack: bind("S", "sort back", "S", "<"),
		Turn:     bind("r", "reverse", "r"),

		Freeze:      bind("space", "freeze", "space"),
		Dismiss:     bind("x", "dismiss ended", "x", "delete"),
		DismissAll:  bind("X", "dismiss all ended", "X"),
		Copy:        bind("y", "copy as JSON", "y"),
		CopyCommand: bind("Y", "copy the command", "Y"),
		Suspend:     bind("ctrl+z", "suspend", "ctrl+z"),
		Quit:        bind("q", "quit", "q", "ctrl+c"),
	}
}

// ShortHelp is the footer's under the table, the most wanted first: a narrow
// terminal cuts it.
func (k keyMap) ShortHelp() []key.Binding {
	return []key.Binding{k.Help, k.Detail, k.Filter, k.Group, k.Sort, k.Ended, k.Freeze, k.Log, k.Dismiss, k.Copy, k.Quit}
}

// shortHelp is the footer's on a screen.
func (k keyMap) shortHelp(s screen, detail, grouped bool) []key.Binding {
	switch {
	case s == screenHelp || s == screenCaveats:
		return []key.Binding{k.Back, k.Up, k.Down, k.PageDown, k.Quit}
	case s == screenLog:
		return []key.Binding{k.Back, k.Up, k.PageUp, k.Bottom, k.Filter, k.Freeze, k.Quit}
	case detail:
		return []key.Binding{k.Back, k.PageDown, k.PageUp, k.Up, k.Down, k.CopyCommand, k.Copy, k.Freeze, k.Dismiss, k.Help, k.Quit}
	}
	if grouped {
		enter := k.Detail
		enter.SetHelp("enter", "its connections")
		return []key.Binding{k.Help, enter, k.Group, k.Back, k.Filter, k.Sort, k.Ended, k.Freeze, k.Log, k.Quit}
	}
	return k.ShortHelp()
}

// FullHelp is the help pane's.
func (k keyMap) FullHelp() [][]key.Binding {
	return [][]key.Binding{
		{k.Up, k.Down, k.PageUp, k.PageDown, k.Top, k.Bottom, k.ScrollUp, k.ScrollDown},
		{k.Detail, k.Back, k.Log, k.Caveats, k.Help, k.Suspend, k.Quit},
		{k.Filter, k.Ended, k.Group, k.Sort, k.SortBack, k.Turn, k.Freeze, k.Dismiss, k.DismissAll, k.Copy, k.CopyCommand},
	}
}
