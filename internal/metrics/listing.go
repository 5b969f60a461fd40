// SPDX-License-Identifier: BSD-2-Clause

package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"katrace/internal/conn"
	"katrace/internal/events"
	"katrace/internal/inventory"
)

// connections is how many connections have each verdict, as the stream says it
// once a second.
type connections struct {
	now atomic.Pointer[events.Connections]
}

var connectionsDesc = desc("connections", "Connections with a probe so far that have not ended, by their latest verdict.", "verdict")

// Connections says how many connections have each verdict now.
func (m *Metrics) Connections(now events.Connections) { m.connections.now.Store(&now) }

func (c *connections) Describe(to chan<- *prometheus.Desc) { to <- connectionsDesc }

func (c *connections) Collect(to chan<- prometheus.Metric) {
	now := c.now.Load()
	if now == nil {
		return
	}
	for v, n := range now {
		word := events.Verdict(v).String()
		if word == "" {
			word = "none"
		}
		to <- constant(connectionsDesc, float64(n), word)
	}
}

// The bounds of times.
var (
	silenceBounds   = bounds{{60, "60s"}, {240, "240s"}, {333, "333s"}, {350, "350s"}, {900, "900s"}, {7200, "7200s"}}
	detectionBounds = bounds{{30, "30s"}, {60, "60s"}, {300, "300s"}, {900, "900s"}, {3600, "3600s"}, {9000, "9000s"}}
)

// bounds are bounds in seconds, with their words.
type bounds [6]struct {
	seconds int
	word    string
}

// upto counts times by the smallest bound that they do not exceed, then those beyond
// all, and never.
type upto [len(bounds{}) + 2]float64

const (
	more = iota + len(bounds{})
	never
)

func (b *bounds) of(d time.Duration) int {
	for i, bound := range b {
		if d <= time.Duration(bound.seconds)*time.Second {
			return i
		}
	}
	return more
}

func (b *bounds) words() (all []string) {
	for _, bound := range b {
		all = append(all, bound.word)
	}
	return append(all, "more", "never")
}

var (
	socketsDesc   = desc("sockets", "TCP connections of katrace's network namespace when they were listed last.", "keepalive")
	settingDesc   = desc("sockets_setting", "Connections with keepalive on, by where a setting comes from.", "parameter", "source")
	silenceDesc   = desc("sockets_longest_silence", "Connections by how long they may be without a segment: each is counted once, at the smallest bound that holds.", "upto")
	detectionDesc = desc("sockets_detection", "Connections by how long it takes keepalive to notice a dead peer: each is counted once, at the smallest bound that holds.", "upto")
	listedDesc    = desc("listing_timestamp_seconds", "When the sockets were listed last.")
	tookDesc      = desc("listing_duration_seconds", "How long that took.")
)

// Count counts one listing's sockets.
type Count struct {
	begun     time.Time
	sockets   [len(onWords)]float64
	setting   [len(settings)][2]float64 // of the socket's own, or not
	silence   upto
	detection upto
	owners    map[string]*upto         // detection by owner
	name      func(*conn.State) string // the owner's, nil: owners are not asked for
	took      time.Duration
}

var onWords = [...]string{"on", "off", "unknown"}

// settings are those that a socket has of its own or takes from elsewhere.
var settings = [...]struct {
	conn.Setting         // 0: the user timeout
	name, own, elsewhere string
}{
	{conn.SettingIdle, "idle", "socket", "sysctl"}, {conn.SettingInterval, "intvl", "socket", "sysctl"}, {conn.SettingCount, "cnt", "socket", "sysctl"},
	{0, "user_timeout", "socket", "unset"},
}

// NewCount begins a listing.
func (m *Metrics) NewCount() *Count {
	c := &Count{begun: time.Now(), owners: map[string]*upto{}}
	if m.listing.byOwner && m.labels != nil {
		c.name = m.labels.owner
	}
	return c
}

// Add counts a connection.
func (c *Count) Add(s *inventory.Socket) {
	switch {
	case s.Has&inventory.HasOn == 0:
		c.sockets[2]++
		return
	case !s.On:
		c.sockets[1]++
		c.silence[never]++
		c.detect(s, never)
		return
	}
	c.sockets[0]++
	if s.Has&conn.HasKeepalive == 0 {
		return
	}
	k := &s.Keepalive
	for i := range settings {
		switch set := settings[i].Setting; {
		case set == 0 && k.UserTimeout == 0, k.Inherited&set != 0:
			c.setting[i][1]++
		case k.Unsure&set == 0:
			c.setting[i][0]++
		}
	}
	c.silence[silenceBounds.of(s.Silence())]++
	c.detect(s, detectionBounds.of(k.Idle+k.DiesIn(0, k.Idle, 0)))
}

func (c *Count) detect(s *inventory.Socket, at int) {
	c.detection[at]++
	if c.name == nil {
		return
	}
	name := c.name(&s.State)
	if c.owners[name] == nil {
		c.owners[name] = new(upto)
	}
	c.owners[name][at]++
}

// Listed exposes the count in place of the one before.
func (m *Metrics) Listed(c *Count) {
	c.took = time.Since(c.begun)
	m.listing.last.Store(c)
}

// listing is the latest listing's count. A scrape takes what there is.
type listing struct {
	last    atomic.Pointer[Count]
	byOwner bool
}

func newListing(byOwner bool) *listing { return &listing{byOwner: byOwner} }

var ownerDetectionDesc = desc("owner_sockets_detection", "As sockets_detection, by owner.", "owner", "upto")

func (l *listing) Describe(to chan<- *prometheus.Desc) {
	for _, d := range [...]*prometheus.Desc{socketsDesc, settingDesc, silenceDesc, detectionDesc, listedDesc, tookDesc} {
		to <- d
	}
	if l.byOwner {
		to <- ownerDetectionDesc
	}
}

func (l *listing) Collect(to chan<- prometheus.Metric) {
	c := l.last.Load()
	if c == nil {
		return // not yet, or it cannot be had
	}
	for i, word := range onWords {
		to <- constant(socketsDesc, c.sockets[i], word)
	}
	for i, s := range settings {
		to <- constant(settingDesc, c.setting[i][0], s.name, s.own)
		to <- constant(settingDesc, c.setting[i][1], s.name, s.elsewhere)
	}
	for i, word := range silenceBounds.words() {
		to <- constant(silenceDesc, c.silence[i], word)
	}
	for i, word := range detectionBounds.words() {
		to <- constant(detectionDesc, c.detection[i], word)
		for name, of := range c.owners {
			to <- constant(ownerDetectionDesc, of[i], name, word)
		}
	}
	to <- constant(listedDesc, float64(c.begun.UnixMilli())/1000)
	to <- constant(tookDesc, c.took.Seconds())
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
}

func constant(d *prometheus.Desc, n float64, words ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, n, words...)
}
