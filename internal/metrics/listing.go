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

// The bounds of times, the last word but one for what is beyond them, and never.
var (
	silenceBounds   = bounds{{60, "60s"}, {240, "240s"}, {333, "333s"}, {350, "350s"}, {900, "900s"}, {7200, "7200s"}}
	detectionBounds = bounds{{30, "30s"}, {60, "60s"}, {300, "300s"}, {900, "900s"}, {3600, "3600s"}, {9000, "9000s"}}
)

const (
	more  = "more"
	never = "never"
)

// bounds are bounds in seconds, with their words.
type bounds []struct {
	seconds int
	word    string
}

// word is that of the smallest bound that the time does not exceed.
func (b bounds) word(d time.Duration) string {
	for _, bound := range b {
		if d <= time.Duration(bound.seconds)*time.Second {
			return bound.word
		}
	}
	return more
}

func (b bounds) words() (all []string) {
	for _, bound := range b {
		all = append(all, bound.word)
	}
	return append(all, more, never)
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
	sockets   map[string]float64
	setting   map[[2]string]float64
	silence   map[string]float64
	detection map[string]float64
	owners    map[string]map[string]float64 // detection by owner
	name      func(*conn.State) string      // the owner's, nil: owners are not asked for
	took      time.Duration
}

// NewCount begins a listing.
func (m *Metrics) NewCount() *Count {
	c := &Count{begun: time.Now(), sockets: zeros("on", "off", "unknown"), silence: zeros(silenceBounds.words()...),
		detection: zeros(detectionBounds.words()...), setting: map[[2]string]float64{}, owners: map[string]map[string]float64{}}
	for _, p := range [...]string{"idle", "intvl", "cnt"} {
		c.setting[[2]string{p, "socket"}], c.setting[[2]string{p, "sysctl"}] = 0, 0
	}
	c.setting[[2]string{"user_timeout", "socket"}], c.setting[[2]string{"user_timeout", "unset"}] = 0, 0
	if m.listing.byOwner && m.labels != nil {
		c.name = m.labels.owner
	}
	return c
}

func zeros(words ...string) map[string]float64 {
	m := map[string]float64{}
	for _, word := range words {
		m[word] = 0
	}
	return m
}

// Add counts a connection.
func (c *Count) Add(s *inventory.Socket) {
	switch {
	case s.Has&inventory.HasOn == 0:
		c.sockets["unknown"]++
		return
	case !s.On:
		c.sockets["off"]++
		c.silence[never]++
		c.detect(s, never)
		return
	}
	c.sockets["on"]++
	if s.Has&conn.HasKeepalive == 0 {
		return
	}
	k := &s.Keepalive
	for _, set := range [...]conn.Setting{conn.SettingIdle, conn.SettingInterval, conn.SettingCount} {
		switch {
		case k.Inherited&set != 0:
			c.setting[[2]string{set.Name(), "sysctl"}]++
		case k.Unsure&set == 0:
			c.setting[[2]string{set.Name(), "socket"}]++
		}
	}
	if k.UserTimeout > 0 {
		c.setting[[2]string{"user_timeout", "socket"}]++
	} else {
		c.setting[[2]string{"user_timeout", "unset"}]++
	}
	c.silence[silenceBounds.word(s.Silence())]++
	c.detect(s, detectionBounds.word(k.Idle+k.DiesIn(0, k.Idle, 0)))
}

func (c *Count) detect(s *inventory.Socket, upto string) {
	c.detection[upto]++
	if c.name == nil {
		return
	}
	name := c.name(&s.State)
	if c.owners[name] == nil {
		c.owners[name] = zeros(detectionBounds.words()...)
	}
	c.owners[name][upto]++
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
	for _, family := range [...]struct {
		desc *prometheus.Desc
		of   map[string]float64
	}{{socketsDesc, c.sockets}, {silenceDesc, c.silence}, {detectionDesc, c.detection}} {
		for word, n := range family.of {
			to <- constant(family.desc, n, word)
		}
	}
	for words, n := range c.setting {
		to <- constant(settingDesc, n, words[0], words[1])
	}
	for name, of := range c.owners {
		for word, n := range of {
			to <- constant(ownerDetectionDesc, n, name, word)
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
