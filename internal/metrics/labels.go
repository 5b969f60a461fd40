// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/group"
)

// By is what an owner is called by.
type By string

// What owners can be called by.
const (
	ByComm By = "comm" // the process's name
	ByUnit By = "unit" // the systemd unit, or the container's or pod's cgroup, by the last part of its path
	// ByWorkload is the pod's workload, NAMESPACE/NAME; of what is in no pod the unit.
	ByWorkload By = "workload"
)

// Bys lists them.
func Bys() []string { return []string{string(ByComm), string(ByUnit), string(ByWorkload)} }

// Labels are what is asked for beyond the closed sets.
type Labels struct {
	Owner By  // "": no families by owner
	Max   int // owners at most
	Peers []PeerGroup
}

// PeerGroup is a name for the peers of a network.
type PeerGroup struct {
	Name    string
	Network netip.Prefix
}

const (
	// overflow stands for the owners beyond Labels.Max, notKnown for those of which
	// there is no name.
	overflow = notOwner + "other"
	notKnown = notOwner + "unknown"
	notOwner = "~"
	// OtherPeer is a peer in none of the groups.
	OtherPeer = "other"
)

// labels counts by owner and by peer.
type labels struct {
	by    By
	max   int
	peers []PeerGroup // the narrowest first

	mu    sync.Mutex // names come from the stream and from the listing
	known map[string]bool

	ownerEnded, ownerSilent, peerEnded, peerSilent *prometheus.CounterVec

	overflowed prometheus.Counter
}

func newLabels(to *prometheus.Registry, o Labels) *labels {
	if o.Owner == "" && len(o.Peers) == 0 {
		return nil
	}
	family := func(name, help string, words ...string) *prometheus.CounterVec {
		v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, words)
		to.MustRegister(v)
		return v
	}
	l := &labels{by: o.Owner, max: o.Max, peers: slices.Clone(o.Peers), known: map[string]bool{}}
	slices.SortStableFunc(l.peers, func(a, b PeerGroup) int { return b.Network.Bits() - a.Network.Bits() })
	if o.Owner != "" {
		l.ownerEnded = family("owner_ended_total", "As ended_total, by owner.", "owner", "by")
		l.ownerSilent = family("owner_silent_total", "As connections_silent_total, by owner.", "owner")
		l.overflowed = prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: "label_overflow_total",
			Help: "Events that were counted as those of " + overflow + ", because there are too many owners (--metrics-max)."})
		to.MustRegister(l.overflowed)
	}
	if len(o.Peers) > 0 {
		l.peerEnded = family("peer_ended_total", "As ended_total, by the group of the peer.", "peer", "by")
		l.peerSilent = family("peer_silent_total", "As connections_silent_total, by the group of the peer.", "peer")
		for _, p := range append(l.peers, PeerGroup{Name: OtherPeer}) {
			l.peerSilent.WithLabelValues(p.Name)
		}
	}
	return l
}

// change counts an event that changes its connection's state.
func (l *labels) change(e *events.Event) {
	ended := e.Change == events.ChangeEnded
	if !ended && e.Change != events.ChangeSilent {
		return
	}
	if l.by != "" {
		name := l.owner(&e.State)
		if name == overflow {
			l.overflowed.Inc()
		}
		if ended {
			l.ownerEnded.WithLabelValues(name, endedWords[by(e)]).Inc()
		} else {
			l.ownerSilent.WithLabelValues(name).Inc()
		}
	}
	if len(l.peers) > 0 {
		if name := l.peer(e.Remote.Addr()); ended {
			l.peerEnded.WithLabelValues(name, endedWords[by(e)]).Inc()
		} else {
			l.peerSilent.WithLabelValues(name).Inc()
		}
	}
}

// owner is the name of a connection's owner, of which there are so many at most.
func (l *labels) owner(s *conn.State) string {
	name := nameOf(s, l.by)
	l.mu.Lock()
	defer l.mu.Unlock()
	if name == notKnown || l.known[name] {
		return name
	}
	if len(l.known) >= l.max {
		return overflow
	}
	l.known[name] = true
	return name
}

func nameOf(s *conn.State, by By) string {
	name := ""
	switch by {
	case ByComm:
		name = group.Holder(&s.Owner).String()
	case ByWorkload:
		if name = s.Workload(); name != "" {
			name = s.PodNamespace + "/" + name
		} else if s.Pod == "" { // of a pod without a name, so far, the unit would be a container's
			name = unit(s.Cgroup)
		}
	case ByUnit:
		name = unit(s.Cgroup)
	}
	switch {
	case name == "":
		return notKnown
	case strings.HasPrefix(name, notOwner): // none is called as what is no owner
		name = notOwner + name
	}
	return conn.Safe(name)
}

// unit is the innermost systemd unit of a cgroup's path, or the last part of the
// path where none is.
func unit(cgroup string) string {
	for at := cgroup; at != "/" && at != "." && at != ""; at = path.Dir(at) {
		switch path.Ext(at) {
		case ".service", ".scope":
			return path.Base(at)
		}
	}
	if cgroup = strings.Trim(cgroup, "/"); cgroup == "" {
		return ""
	}
	return path.Base(cgroup)
}

func (l *labels) peer(addr netip.Addr) string {
	for _, p := range l.peers {
		if p.Network.Contains(addr) {
			return p.Name
		}
	}
	return OtherPeer
}
