// SPDX-License-Identifier: BSD-2-Clause

// Package metrics counts what the events tell, and what a listing of the sockets
// finds, for Prometheus. Its labels are closed sets, so that there are some 150
// series whatever the host has; those that are not are asked for, and are families
// of their own. What the backend cannot know is not exposed, and so never 0.
package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"

	"katrace/internal/conn"
	"katrace/internal/events"
)

const namespace = "katrace"

// Options say what is counted.
type Options struct {
	NotKnown events.Unknown // what the events do not tell here
	ExactRTT bool           // round trips are measured (--rtt)
	Backend  string
	Version  string
	Revision string // of the source, "": not known
	// Suppressed is how many events were not written (--max-rate), nil: all are.
	Suppressed func() uint64
	LogFile    bool // there is one, which may lose lines
	// Counts are what the kernel's side counted, nil: what events tell is counted.
	Counts func() (events.Counts, error)
	Labels Labels
}

// Metrics is the sink, and the registry that is scraped. Events come from one
// goroutine; scrapes may come from any.
type Metrics struct {
	registry *prometheus.Registry
	kernel   *kernelCounts // nil: events are counted

	probes      map[string]prometheus.Counter // by result
	answers     prometheus.Counter
	peerProbes  prometheus.Counter
	ended       [endedEnd]prometheus.Counter
	icmp        map[string]prometheus.Counter
	dropped     map[string]*[3]prometheus.Counter // by reason, then events.Direction
	changes     map[events.Change]prometheus.Counter
	rtt         prometheus.Histogram // nil: not measured
	silence     prometheus.Histogram
	recovered   prometheus.Histogram
	lost        []lostCounter
	labels      *labels // nil: none are asked for
	connections connections
	listing     *listing
}

// New makes the metrics, all at 0.
func New(o Options) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), listing: newListing(o.Labels.Owner == ByUnit || o.Labels.Owner == ByWorkload)}
	m.probes = m.counters("probes_total", "Keepalive probes of this host.", "result", known(o.NotKnown, events.UnknownSendError, "sent", "congested", "failed")...)
	m.answers = m.counter("answers_total", "Answers of peers to probes.")
	if o.NotKnown&events.UnknownProbed == 0 {
		m.peerProbes = m.counter("peer_probes_total", "Keepalive probes of peers, which this host answers.")
	}
	m.countEnds(o.NotKnown)
	if o.NotKnown&events.UnknownICMP == 0 {
		m.icmp = m.counters("icmp_errors_total", "ICMP errors about connections with probes out.", "reason", icmpReasons...)
	}
	if o.NotKnown&events.UnknownDropped == 0 {
		m.countDrops()
	}
	m.countChanges(o.NotKnown)
	if o.ExactRTT {
		m.rtt = m.histogram("answer_rtt_seconds", "Round trips of probes and their answers.",
			0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
	}
	m.silence = m.histogram("silence_before_end_seconds", "For how long the peer had not been heard when a connection ended with an error.", silences...)
	m.recovered = m.histogram("recovered_silence_seconds", "For how long the peer had not been heard when it answered again after two or more probes.", silences...)
	m.countLosses(o)
	if o.Suppressed != nil {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Namespace: namespace, Name: "events_suppressed_total",
			Help: "Events of which no line was written (--max-rate)."}, func() float64 { return float64(o.Suppressed()) }))
	}
	m.labels = newLabels(m.registry, o.Labels)
	m.gauge("build_info", "Always 1.", prometheus.Labels{"version": o.Version, "revision": o.Revision, "goversion": runtime.Version()}).Set(1)
	m.gauge("backend_info", "Always 1.", prometheus.Labels{"backend": o.Backend}).Set(1)
	m.registry.MustRegister(&m.connections, m.listing)
	m.kernel = m.countKernel(o.Counts)
	return m
}

// silences are the buckets of silences, in seconds.
var silences = []float64{1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400}

// known are the words of a label that this backend can tell apart: the first alone
// where the others are not known.
func known(not, needs events.Unknown, words ...string) []string {
	if not&needs != 0 {
		return words[:1]
	}
	return words
}

// Event counts the event.
func (m *Metrics) Event(e *events.Event) error {
	if m.kernel == nil {
		inc(m.counterOf(e))
		inc(m.changes[e.Change])
	}
	switch e.Kind {
	case events.KindAnswer:
		if m.rtt != nil && e.Has&events.HasRTT != 0 && e.RTTExact {
			m.rtt.Observe(e.RTT.Seconds())
		}
		if e.AfterProbes > 0 {
			m.recovered.Observe(e.SilentFor.Seconds())
		}
	case events.KindReset, events.KindPeerReset, events.KindEnded:
		if e.Has&conn.HasIdleFor != 0 {
			m.silence.Observe(e.IdleFor.Seconds())
		}
	case events.KindDropped:
		if ways := m.dropped[e.Drop.Class()]; ways != nil {
			inc(ways[e.Drop.Direction])
		}
	case events.KindLost:
		m.lose(e)
	default: // not counted
	}
	if e.Change != 0 && m.labels != nil {
		m.labels.change(e)
	}
	return nil
}

// counterOf is where an event of that kind is counted, nil: nowhere, or not by this.
func (m *Metrics) counterOf(e *events.Event) prometheus.Counter {
	switch e.Kind {
	case events.KindProbe:
		return m.probe(e)
	case events.KindAnswer:
		return m.answers
	case events.KindProbed:
		return m.peerProbes
	case events.KindReset, events.KindPeerReset, events.KindEnded:
		return m.ended[by(e)]
	case events.KindICMP:
		return m.icmp[icmpReason(e)]
	default:
		return nil
	}
}

// Flush is of events.Sink.
func (m *Metrics) Flush() error { return nil }

func (m *Metrics) probe(e *events.Event) prometheus.Counter {
	result := "sent"
	switch e.SendError {
	case "":
	case events.Congested:
		result = "congested"
	default:
		result = "failed"
	}
	return m.probes[result]
}

// inc counts where that is exposed.
func inc(c prometheus.Counter) {
	if c != nil {
		c.Inc()
	}
}

func (m *Metrics) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	m.registry.MustRegister(c)
	return c
}

// counters are a family of counters with a label, from 0.
func (m *Metrics) counters(name, help, label string, words ...string) map[string]prometheus.Counter {
	v := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
	m.registry.MustRegister(v)
	all := map[string]prometheus.Counter{}
	for _, word := range words {
		all[word] = v.WithLabelValues(word)
	}
	return all
}

func (m *Metrics) gauge(name, help string, labels prometheus.Labels) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: labels})
	m.registry.MustRegister(g)
	return g
}

func (m *Metrics) histogram(name, help string, buckets ...float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	m.registry.MustRegister(h)
	return h
}
