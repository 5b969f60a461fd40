// SPDX-License-Identifier: BSD-2-Clause

package events

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"katrace/docs"

	"katrace/internal/conn"
	"katrace/test/fields"
	"katrace/test/hostile"
)

func eventSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	schema, err := docs.Schema(docs.EventsSchema)
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// checkLine: it is JSON, as the schema has it, and shows nothing but printing characters.
func checkLine(t *testing.T, schema *jsonschema.Schema, line []byte) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
	if err != nil {
		t.Fatalf("not JSON: %v: %q", err, line)
	}
	if err := schema.Validate(v); err != nil {
		t.Errorf("%s\n%v", line, err)
	}
	hostile.CheckPrinting(t, line)
}

// inMillis is the event as precisely as the stream tells it.
func inMillis(e Event) Event {
	for _, d := range []*time.Duration{&e.Keepalive.Idle, &e.Keepalive.Interval, &e.Keepalive.UserTimeout, &e.IdleFor, &e.Next, &e.DiesIn} {
		*d = d.Truncate(time.Millisecond)
	}
	e.RTT = e.RTT.Truncate(time.Microsecond)
	return e
}

func TestJSONOfEveryKind(t *testing.T) {
	schema := eventSchema(t)
	for _, tt := range everyKind() {
		line := AppendJSON([]byte("before "), &tt.event)
		line, ok := bytes.CutPrefix(line, []byte("before "))
		if !ok {
			t.Errorf("%s: does not append", tt.name)
		}
		checkLine(t, schema, line)
		got, err := ParseJSON(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if d := cmp.Diff(tt.event, got, sameAddrs); d != "" {
			t.Errorf("%s: after encoding and parsing (- was, + is):\n%s", line, d)
		}
	}
}

// TestJSON is the contract's example, and a line with as little as there can be.
func TestJSON(t *testing.T) {
	silent := everyKind()[0].event
	silent.Seq = 0
	silent.Has &^= HasSeq
	for want, e := range map[string]Event{
		`{"v":1,"time":"2026-11-22T01:02:03.123456789Z","event":"probe","netns":4026531840,"inode":81932,"family":"ipv4","state":"established",` +
			`"local":{"addr":"10.0.0.1","port":5432},"remote":{"addr":"10.0.0.9","port":40122},` +
			`"process":{"pid":812,"comm":"postgres"},"uid":105,"cgroup":"/system.slice/postgresql.service","container":"3f2a",` +
			`"keepalive":{"idle_ms":60000,"intvl_ms":10000,"cnt":6,"user_timeout_ms":0,"inherited":["cnt"]},` +
			`"unanswered":2,"idle_for_ms":70000,"next_ms":10000,"dies_in_ms":50000,"verdict":"silent"}`: silent,
		`{"v":1,"time":"2026-11-22T01:02:03.123456789Z","event":"closed"}`: {Time: someTime, Kind: KindClosed},
		`{"v":1,"time":"2026-11-22T01:02:03.123456789Z","event":"closed","container":"3f2a","pod":"0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"}`: {
			State: conn.State{Owner: conn.Owner{Container: "3f2a", Pod: "0b9e5c1a-7d3f-4e2b-9a61-2f4c8d7e6a50"}},
			Time:  someTime,
			Kind:  KindClosed,
		},
		`{"v":1,"time":"2026-11-22T01:02:03.123456789Z","event":"lost","lost":{"ring":1,"missed":2,"follow":3}}`: {
			Time: someTime, Kind: KindLost, Lost: Lost{Ring: 1, Missed: 2, Follow: 3}},
		`{"v":1,"time":"2026-11-22T01:02:03.123456789Z","event":"probe","keepalive":{"idle_ms":0,"intvl_ms":0,"cnt":0,"user_timeout_ms":0,"inherited":["idle","intvl","cnt"]},"unanswered":0,"seq":0}`: {
			State: conn.State{Has: conn.HasKeepalive | HasSeq | conn.HasUnanswered, Keepalive: conn.Settings{Inherited: 7}},
			Time:  someTime,
			Kind:  KindProbe,
		},
		// A connection as it is, by its own word: no event, and not known who set what.
		`{"v":1,"time":"2026-11-22T01:02:03.123456789Z","netns":7,"keepalive":{"idle_ms":60000,"intvl_ms":0,"cnt":0,"user_timeout_ms":0,"set":["intvl","cnt"]}}`: {
			State: conn.State{Netns: 7, Has: conn.HasKeepalive, Keepalive: conn.Settings{Idle: time.Minute, Unsure: conn.SettingIdle}},
			Time:  someTime,
		},
	} {
		if got := string(AppendJSON(nil, &e)); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestJSONTimes holds the digits written by hand against time.Format.
func TestJSONTimes(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		at := time.Unix(rnd.Int64N(253402300800+62135596800)-62135596800, rnd.Int64N(1e9)) // years 1 to 9999
		if got, want := string(appendTime(nil, at)), at.UTC().Format("2006-01-02T15:04:05.000000000Z"); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		e := Event{Time: at, Kind: KindClosed}
		if got, want := string(AppendText(nil, &e)), at.UTC().Format("2006-01-02T15:04:05.000Z  closed"); !strings.HasPrefix(got, want) {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}

func TestJSONHostile(t *testing.T) {
	schema := eventSchema(t)
	for _, s := range hostile.Names {
		e := everyKind()[0].event
		e.Process.Comm, e.Cgroup, e.Container, e.Pod = s, s, s, s
		line := AppendJSON(nil, &e)
		checkLine(t, schema, line)
		got, err := ParseJSON(line)
		want := validUTF8(s)
		if err != nil || got.Process.Comm != want || got.Cgroup != want || got.Container != want || got.Pod != want {
			t.Errorf("%q: comm %q, cgroup %q, container %q, pod %q, %v; want %q", s, got.Process.Comm, got.Cgroup, got.Container, got.Pod, err, want)
		}
	}
}

// validUTF8 is s with each byte that is not UTF-8 replaced, as encoding/json does.
func validUTF8(s string) string {
	return string([]rune(s))
}

// TestJSONOfRandomEvents encodes and parses events of every kind with every
// combination of facts.
func TestJSONOfRandomEvents(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	for range 5000 {
		e := randomEvent(rnd)
		line := AppendJSON(nil, &e)
		got, err := ParseJSON(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if d := cmp.Diff(inMillis(e), got, sameAddrs); d != "" {
			t.Fatalf("%s: after encoding and parsing (- was, + is):\n%s", line, d)
		}
		if !json.Valid(line) {
			t.Fatalf("not JSON: %s", line)
		}
	}
}

func randomEvent(rnd *rand.Rand) Event {
	some := func() bool { return rnd.IntN(2) == 0 }
	span := func() time.Duration { return time.Duration(rnd.Int64N(int64(1000 * time.Hour))) }
	word := func(n int, name func(int) string) string {
		if some() {
			return ""
		}
		return name(rnd.IntN(n))
	}
	addr := func() netip.AddrPort {
		a := netip.AddrFrom4([4]byte{10, byte(rnd.IntN(256)), 0, byte(rnd.IntN(256))})
		if some() {
			a = netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(rnd.IntN(256))})
		}
		return netip.AddrPortFrom(a, uint16(rnd.IntN(1<<16)))
	}
	e := Event{Time: time.Unix(rnd.Int64N(1<<32), rnd.Int64N(1e9)).UTC(), Kind: Kind(1 + rnd.IntN(len(KindNames())))}
	if some() {
		e.Host = validUTF8(hostile.Names[rnd.IntN(len(hostile.Names))])
	}
	switch e.Kind {
	case KindStart:
		e.Tracing = &Tracing{Filters: word(len(hostile.Names), func(i int) string { return validUTF8(hostile.Names[i]) }), NotKnown: Unknown(rnd.IntN(int(unknownEnd)))}
		return e
	case KindHeartbeat, KindStop:
		e.Tracing = &Tracing{Asleep: span().Truncate(time.Millisecond), Events: rnd.Uint64(), Lost: Lost{Ring: rnd.Uint64() >> 1}}
		return e
	case KindSuppressed:
		e.Suppressed = &Suppressed{Events: rnd.Uint64(), Ends: rnd.Uint64()}
		for i := range rnd.IntN(len(e.Suppressed.Peers) + 1) {
			e.Suppressed.Peers[i] = PeerCount{addr().Addr(), rnd.Uint64()>>1 + 1}
		}
		return e
	case KindLost:
		e.Lost = Lost{Ring: rnd.Uint64(), Missed: rnd.Uint64(), Follow: rnd.Uint64(), Skipped: Skipped{Closed: rnd.Uint64() >> 1}}
		return e
	default: // of a connection
	}
	e.Has = conn.Fact(rnd.IntN(int(HasRTT) << 1))
	e.Netns, e.Inode = rnd.Uint32(), rnd.Uint64()
	e.Family, e.TCPState = conn.Family(rnd.IntN(4)), conn.TCPState(rnd.IntN(14))
	e.Local, e.Remote = addr(), addr()
	e.Reason, e.Verdict = Reason(rnd.IntN(len(reasonNames.Words))), Verdict(rnd.IntN(len(verdictNames.Words)))
	name := func(i int) string { return validUTF8(hostile.Names[i]) }
	if some() {
		e.Process = conn.Process{PID: 1 + rnd.IntN(1<<22), Comm: word(len(hostile.Names), name)}
	}
	e.Cgroup, e.Container, e.Pod = word(len(hostile.Names), name), word(len(hostile.Names), name), word(len(hostile.Names), name)
	e.SendError, e.Errno = word(len(hostile.Names), name), word(len(hostile.Names), name)
	if e.Has&conn.HasUID != 0 {
		e.UID = rnd.Uint32()
	}
	if e.Has&conn.HasKeepalive != 0 {
		e.Keepalive = conn.Settings{Idle: span(), Interval: span(), Count: rnd.IntN(256), UserTimeout: span(), Inherited: conn.Setting(rnd.IntN(8))}
	}
	if e.Has&conn.HasUnanswered != 0 {
		e.Unanswered = rnd.IntN(256)
	}
	if e.Has&HasSeq != 0 {
		e.Seq = rnd.Uint32()
	}
	for fact, d := range map[conn.Fact]*time.Duration{conn.HasIdleFor: &e.IdleFor, conn.HasNext: &e.Next, conn.HasDiesIn: &e.DiesIn, HasRTT: &e.RTT} {
		if e.Has&fact != 0 {
			*d = span()
		}
	}
	e.RTTExact = e.Has&HasRTT != 0 && some()
	if e.Kind == KindDropped {
		e.Drop = Drop{Direction(1 + rnd.IntN(2)), word(len(hostile.Names), name), word(len(hostile.Names), name), word(len(hostile.Names), name)}
	}
	if e.Kind == KindSet {
		some := func() conn.Values {
			return conn.Values{Known: conn.AllFields, On: some(), Idle: span().Truncate(time.Millisecond), Interval: span().Truncate(time.Millisecond), Count: rnd.IntN(128), UserTimeout: span().Truncate(time.Millisecond)}
		}
		e.Set = &Set{By: Setter{rnd.IntN(1 << 22), rnd.Uint32(), rnd.Uint32()}, Before: some(), After: some(), Error: word(len(hostile.Names), name)}
	}
	if e.Kind == KindICMP {
		e.ICMP = ICMP{byte(rnd.IntN(256)), byte(rnd.IntN(256)), word(len(hostile.Names), name), netip.Addr{}}
		if some() {
			e.ICMP.From = addr().Addr()
		}
	}
	return e
}

// TestParseLongNames: what readers keep for each connection is bounded.
func TestParseLongNames(t *testing.T) {
	for _, key := range []string{"host", "module", "cgroup", "container", "pod", "comm"} {
		for _, n := range []int{4096, 6000} {
			names := `"` + key + `":"` + strings.Repeat("x", n) + `"`
			if key == "comm" {
				names = `"process":{"pid":1,` + names + `}`
			}
			_, err := ParseJSON([]byte(`{"v":1,"time":"2026-11-22T01:02:03Z","event":"probe",` + names + `}`))
			if (err != nil) != (n > 4096) {
				t.Errorf("%s of %d bytes: %v", key, n, err)
			}
		}
	}
}

// TestJSONRemembers: a line is the same whatever the line before was of.
func TestJSONRemembers(t *testing.T) {
	var all []Event
	for _, n := range everyKind() {
		all = append(all, n.event)
	}
	plain := someEvent(KindProbe)
	vary := func(change func(e *Event)) {
		e := plain
		change(&e)
		all = append(all, plain, e)
	}
	vary(func(e *Event) { e.Time = e.Time.Add(time.Nanosecond) })
	vary(func(e *Event) { e.Time = e.Time.Add(time.Second) })
	vary(func(e *Event) { e.Time = e.Time.In(time.FixedZone("", 3600)) })
	vary(func(e *Event) { e.Time = time.Unix(0, 0) })
	vary(func(e *Event) { e.Keepalive = conn.Settings{} })
	vary(func(e *Event) { e.Has = 0 })
	vary(func(e *Event) { e.Host, e.Process = "a", conn.Process{PID: 7, Comm: "b"} })
	fields.Each(&plain.Keepalive, func(_ string, f reflect.Value) {
		was := reflect.ValueOf(f.Interface())
		fields.Set(f, 2)
		all = append(all, plain)
		f.Set(was)
		all = append(all, plain)
	})
	var j JSON
	for i := range all {
		for k := range all {
			for _, e := range []*Event{&all[i], &all[k]} {
				if got, want := string(j.Append(nil, e)), string(AppendJSON(nil, e)); got != want {
					t.Fatalf("after another line: %s\nwant %s", got, want)
				}
			}
		}
	}
}
