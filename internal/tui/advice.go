// SPDX-License-Identifier: BSD-2-Clause

package tui

import (
	"fmt"
	"strings"
	"time"

	"katrace/internal/advice"
	"katrace/internal/conn"
	"katrace/internal/events"
)

// advise says what is going on with a connection and what one can do, one
// sentence or two an item, the most urgent first. It is a function of what was
// seen: what the backend cannot know is said, not guessed.
func advise(f *facts, now nanos, lacks []string) []string {
	var a []string
	switch f.class() {
	case classTimedOut, classForgotten, classAborted, classReset, classEnded, classUnreachableEnded:
		a = adviseEnd(a, f)
	case classSilent:
		probes := count(f.Unanswered, "probe")
		if f.uncounted() {
			probes = "More probes than the kernel's counter of 8 bits holds are"
		}
		a = append(a, fmt.Sprintf("%s unanswered.%s", upper(probes), givesUp(f, now)))
		if f.drop != nil || f.probesIgnored() {
			break // which says more
		}
		a[len(a)-1] += " The peer is down, or the path drops packets in one of the directions: from here both look the same."
		a = append(a, "Can the host be reached otherwise (ping, another port)? Then look for a firewall or NAT that forgot this flow.")
	case classUnreachable:
		a = append(a, "Probes go unanswered, and an error about it was seen."+givesUp(f, now))
	case classCongested:
		a = append(a, "The probe did not leave this host: the local queue is full (tcp_write_wakeup returned > 0). The kernel does not count it as a probe, tries again every 0.5 s and does not give up meanwhile. Look at the interface's queue: tc -s qdisc.")
	case classSuspended:
		a = adviseSuspended(a, f, now)
	case classAsking:
		a = append(a, "A first probe is out. Whether the peer answers shows when it does, or at the timer's next firing.")
	case classAlive:
		a = append(a, "The peer answers."+found(f),
			"The peer's kernel answers probes, even if its process is frozen: alive says that the host is there, not the application.")
	case classWaiting:
		if f.ours {
			a = append(a, "Keepalive is on. No probe is out, and none was seen answered so far: whether the peer is alive is not known."+found(f))
		}
	}
	if f.drop != nil {
		a = append(a, f.drop.Advice())
	}
	a = adviseIgnored(a, f)
	a = adviseFarEnd(a, f)
	a = advisePeer(a, f, now)
	a = adviseErrors(a, f)
	a = adviseSettings(a, f)
	if f.overdue(now) {
		a = append(a, fmt.Sprintf("No news: the timer was due %s ago and no event came. Data may have flowed (a firing that sends nothing is an event only with --all; the next listing of the sockets shows it), the connection may have closed unseen, or the record was lost (see the header).", short(time.Duration(now-f.next))))
	}
	if f.TCPState == conn.TCPCloseWait && !f.ended {
		a = append(a, "CLOSE_WAIT: the peer has closed its side, the application here has not. If it stays so, the application leaks sockets: keepalive does not end it while the peer's host answers.")
	}
	if f.class().failing() && len(lacks) > 0 {
		a = append(a, "This backend cannot know: "+strings.Join(lacks, "; ")+". A cause of that kind would not show here.")
	}
	return a
}

// adviseEnd says who ended the connection.
func adviseEnd(a []string, f *facts) []string {
	switch f.kind {
	case events.KindEnded:
		return adviseEnded(a, f)
	case events.KindPeerReset:
		return adviseReset(a, f)
	default:
		return adviseTimedOut(a, f)
	}
}

// adviseReset says what a RST means that came while a probe was out.
func adviseReset(a []string, f *facts) []string {
	switch f.rst {
	case events.RSTUnknownConnection:
		return append(a, "A RST answered the probe, and its sender does not know this connection (no ACK flag): the peer restarted or failed over, or it gave the connection up while it was cut off."+reader(f), whoever)
	case events.RSTAbort:
		return append(a, "The peer reset the connection while a probe was out, and knew it (RST with ACK): its application aborted it, or closed it with unread data."+reader(f), whoever)
	case events.RSTThisHost:
		return append(a, "This host's own firewall refused the probe (EPERM) and reset the connection: the peer had no part in it. Look at the rules for outgoing packets: nft list ruleset, iptables -S OUTPUT."+reader(f))
	}
	return append(a, "A RST came while a probe was out. Either its sender does not know this connection (the peer restarted, gave up first, or a middlebox forgot it), or the peer aborted it, or a firewall on this host made it: this backend cannot see which."+reader(f), whoever)
}

// advisePeer says which side keeps the connection alive, where the peer was
// seen to probe.
func advisePeer(a []string, f *facts, now nanos) []string {
	if f.peer.n == 0 {
		return a
	}
	s := f.peer.words() + fmt.Sprintf(", last %s ago, and we answer.", age(time.Duration(now-f.peer.last)))
	switch {
	case f.ended:
	case f.ours:
		s += " Both sides keep the connection alive."
	default:
		s += " The peer keeps the connection alive; of keepalive on this side nothing was seen."
	}
	return append(a, s)
}

// adviseFarEnd names who answers, where that is a process beside this one.
func adviseFarEnd(a []string, f *facts) []string {
	if f.farEnd == "" || f.ended {
		return a
	}
	return append(a, "The other end is on this host: "+f.farEnd+" holds it, and this host's own kernel answers the probes. If that is a proxy or a user-mode network stack, alive says nothing of what is behind it.")
}

func adviseTimedOut(a []string, f *facts) []string {
	switch {
	case f.reason == events.ReasonUserTimeout:
		a = append(a, fmt.Sprintf("The kernel gave the connection up: TCP_USER_TIMEOUT%s was over with %s unanswered; TCP_KEEPCNT played no part.%s", after(f.Keepalive.UserTimeout), count(f.Unanswered, "probe"), reader(f)))
	case f.Unanswered > 0:
		a = append(a, fmt.Sprintf("The kernel gave the connection up: %s unanswered.%s", count(f.Unanswered, "probe"), reader(f)))
	default:
		a = append(a, "The kernel gave the connection up."+reader(f))
	}
	if f.drop != nil || f.verdict == events.VerdictUnreachable || f.probesIgnored() {
		return a // an error, or this host, says more
	}
	return append(a, "The peer is down, or the path drops packets: from here both look the same. If the host is up, look for a firewall or NAT between that forgot this flow.")
}

// adviseErrors adds what routers and the own host said.
func adviseErrors(a []string, f *facts) []string {
	if f.icmpAt != 0 {
		from := "a router"
		if f.icmp.From.IsValid() {
			from = f.icmp.From.String()
			switch f.icmp.From.Unmap() {
			case f.Remote.Addr().Unmap():
				from += " (the peer itself)"
			case f.Local.Addr().Unmap():
				from += " (this host itself: look at its neighbours, ip neigh, and at its firewall)"
			}
		}
		s := fmt.Sprintf("ICMP from %s: %s (type %d, code %d).", from, f.icmp.Text, f.icmp.Type, f.icmp.Code)
		if f.class() != classAlive {
			s += " On an idle connection the kernel drops it as out of window, so the application reads ETIMEDOUT all the same; only with data in flight does it read the ICMP's error."
		}
		a = append(a, s)
	}
	if f.sendError != "" && f.sendError != "congested" {
		a = append(a, fmt.Sprintf("The probe did not leave this host: %s. The kernel counts it as a probe nonetheless. Look at the own route and link: ip route get %s.", f.sendError, f.Remote.Addr().Unmap().WithZone("")))
	}
	return a
}

// adviseSettings adds what follows from the settings.
func adviseSettings(a []string, f *facts) []string {
	if !f.settable() {
		return a
	}
	t := f.timer()
	for _, item := range f.settingsAdvice() {
		a = append(a, withCommand(item))
	}
	if s := advice.Sysctls(f.Keepalive, t); s != "" && !f.class().failing() { // the settings below tell the sources too
		a = append(a, s)
	}
	return a
}

// settable says that settings are known that something follows from.
func (f *facts) settable() bool {
	return f.Has&conn.HasKeepalive != 0 && !f.ended && f.ours // else its keepalive may be off
}

// timer is the keepalive timer that runs.
func (f *facts) timer() advice.Timer {
	t := advice.Timer{First: f.Keepalive.Idle, Silence: f.longestSilence().Round(time.Second), Overlong: f.overlong()}
	if t.Overlong && !f.sinceProbe() {
		t.First = t.Silence
	}
	return t
}

// longestSilence is the longest time without any segment that is to be expected if the
// peer answers.
func (f *facts) longestSilence() time.Duration {
	t := conn.Timer{ArmedBeforeChange: f.overlong(), Next: time.Duration(f.next - f.heard)}
	if f.sinceProbe() {
		t.Next = f.plan
	}
	return t.Silence(f.Keepalive, f.sinceProbe())
}

// overlong says that the timer runs longer than the settings in force would set it.
func (f *facts) overlong() bool { return f.armed && f.next != 0 && f.heard != 0 }

// sinceProbe says that the timer runs since a probe, which left since the peer was heard.
func (f *facts) sinceProbe() bool { return f.Unanswered > 0 && !f.heardSince() }

// found says how soon a dead peer is found.
func found(f *facts) string {
	if f.Has&conn.HasKeepalive == 0 || f.Keepalive.Idle <= 0 {
		return ""
	}
	at, _ := advice.Patience(f.Keepalive, f.timer().First)
	return fmt.Sprintf(" If it fell silent, the kernel would give up %s after its last segment.", conn.Exact(at))
}

func givesUp(f *facts, now nanos) string {
	switch {
	case f.dies == 0 || f.overdue(now):
		return ""
	case f.dies <= now:
		return " The kernel gives up now."
	}
	return fmt.Sprintf(" The kernel gives up in %s unless it answers.", short(time.Duration(f.dies-now)))
}

func after(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return " (" + conn.Exact(d) + ")"
}

// reader says what the application gets to know.
func reader(f *facts) string {
	if f.errno == "" {
		return ""
	}
	s := " The application reads " + f.errno
	switch f.errno {
	case "ETIMEDOUT":
		s += ` ("Connection timed out")`
	case "ECONNRESET":
		s += ` ("Connection reset by peer")`
	case "EHOSTUNREACH":
		s += ` ("No route to host")`
	case "ENETUNREACH":
		s += ` ("Network is unreachable")`
	}
	return s + "."
}

func upper(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
