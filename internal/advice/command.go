// SPDX-License-Identifier: BSD-2-Clause

package advice

import (
	"fmt"
	"strings"

	"katrace/internal/conn"
	"katrace/internal/group"
)

// Item is a piece of advice.
type Item struct {
	Words   string `json:"words"`             // a sentence or two; the last one has no full stop where a command follows
	Command string `json:"command,omitempty"` // the command line that does what they say; "": none
}

// ProgramCommand is the command line that changes settings of a connection, and of
// the others that its program has to the same service in the same network
// namespace; settings are katrace set's flags for them, which by --idle-limit or
// --rearm have to leave those alone that are as they should be. "": no process
// holds the socket, so nobody can change it. Where it is not known who holds it,
// or its name is not safe to be pasted into a terminal, the command is for this
// connection alone.
func ProgramCommand(s *conn.State, service group.Port, settings string) string {
	switch s.HeldBy {
	case conn.HeldByKernel, conn.HeldByAcceptQueue, conn.HeldByIOUring:
		return ""
	default: // a descriptor
	}
	if comm := s.Process.Comm; comm == "" || conn.Safe(comm+s.Container) != comm+s.Container || service.Number == 0 {
		return s.SetCommand(settings)
	}
	var b strings.Builder
	b.WriteString("katrace set")
	if s.Container != "" {
		b.WriteString(" --container " + flagValue(string(conn.AppendShortID(nil, s.Container))))
	} else if s.Netns != 0 {
		fmt.Fprintf(&b, " --netns %d", s.Netns)
	}
	fmt.Fprintf(&b, " --comm %s --%s-port %d %s", flagValue(s.Process.Comm), service.Side(), service.Number, settings)
	return b.String()
}

// ProgramsCommand is the command line for all connections of programs with these
// names.
func ProgramsCommand(names []string, settings string) string {
	return "katrace set --comm " + conn.ShellWord(conn.FlagWords(names)) + " " + settings
}

// flagValue is a value of a flag that takes several.
func flagValue(s string) string { return conn.ShellWord(conn.FlagWords([]string{s})) }
