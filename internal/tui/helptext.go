// SPDX-License-Identifier: BSD-2-Clause

package tui

// classHelp explains the words of the verdict column.
var classHelp = [numClasses]string{
	"ended: the kernel gave up: probes, or data, unanswered",
	"ended: a RST says the peer does not know the connection",
	"ended: the peer reset the connection (RST with ACK)",
	"ended: a RST came, whose is not known",
	"ended with an error, by whom is not known, or destroyed here",
	"ended: given up, and an ICMP or send error was seen",
	"two probes or more in a row are unanswered",
	"an ICMP error, or probes cannot be sent from here",
	"the probe did not get out of the local queue",
	"data in flight: retransmission is in charge",
	"a first probe is out, nothing is known yet",
	"the peer answered its last probe",
	"no probe is out, and no answer was seen",
}

// helpNotes explain the rest.
var helpNotes = []string{
	"Sockets with keepalive show before their first event, and are listed again every few seconds (\"listed 3s\": no event so far). They are waiting, not alive: nobody saw the peer answer.",
	"A filter is words that all have to match: parts of an address, port, process, pid, container, pod, cgroup, network namespace, verdict or event, in the table and in the log; \"!word\" must not match.",
	"In the log, answers of healthy peers that follow each other are one line with their probes. A recovery, and a probe that is out, have their own.",
	"Click a row to select it, again for its detail; click a title to sort by it, again to reverse.",
}

// boundsNote says how much the view keeps.
func (m *model) boundsNote() string {
	o := m.opt
	return "Kept: " + thousands(o.MaxConns) + " connections with events, " + thousands(o.MaxListed) + " more without, " +
		thousands(o.MaxEnded) + " that ended, until dismissed, the oldest giving way. The header counts what did not fit among the caveats (c)."
}
