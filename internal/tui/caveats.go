// SPDX-License-Identifier: BSD-2-Clause

package tui

// caveats are what the view cannot show, one sentence each: what the backend
// cannot know, what had no room, and what the source of the events says.
func (m *model) caveats() []string {
	var list []string
	by := m.opt.Backend
	if by == "" {
		by = "this backend"
	}
	for _, lack := range m.opt.Lacks {
		list = append(list, by+" cannot know: "+lack)
	}
	for _, what := range m.opt.Hidden {
		list = append(list, "not seen from here: "+what)
	}
	if m.notice != "" {
		list = append(list, m.notice)
	}
	if n := m.snap.Dismissed; n > 0 {
		list = append(list, count(n, "ended connection")+" dismissed: only the latest "+thousands(m.opt.MaxEnded)+" are kept")
	}
	if n := m.snap.Refused; n > 0 {
		list = append(list, count(n, "event")+" of connections beyond the first "+thousands(m.opt.MaxConns)+" have no row")
	}
	if n := m.snap.Unlisted; n > 0 {
		list = append(list, count(n, "more socket")+" with keepalive beyond the "+thousands(m.opt.MaxListed)+" listed: each shows with its first event")
	}
	if n := m.frozenWithout; n > 0 {
		list = append(list, "the frozen view leaves out "+count(n, "connection")+": it holds "+thousands(freezeMax)+" at most")
	}
	return list
}

// caveatSign is the header's sign that there are caveats.
func (m *model) caveatSign() string {
	n := len(m.caveats())
	switch {
	case n == 0:
		return ""
	case m.width < 60:
		return "!" + thousands(n)
	}
	return count(n, "caveat") + " (" + m.keys.Caveats.Help().Key + ")"
}

// caveatsText is the page behind the sign.
func (m *model) caveatsText() []string {
	t := m.theme
	text := []string{""}
	for _, s := range m.caveats() {
		text = append(text, t.item(t.key, t.text, sanitize(s, t.ascii), m.width)...)
	}
	if len(text) == 1 {
		text = append(text, t.clip([]string{t.dim.Render("  none: nothing is known to be missing")}, m.width)...)
	}
	return text
}
