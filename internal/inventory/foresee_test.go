// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/conn"
	"katrace/internal/jiffies"
)

func TestTimeline(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	const hz = 250
	for _, tt := range []struct {
		name       string
		set        conn.Settings
		out        int
		idle, next time.Duration
		probes     []time.Duration
		end        time.Duration
	}{
		{"count", conn.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3}, 0, 0, 60 * s, []time.Duration{60 * s, 70 * s, 80 * s}, 90 * s},
		{"one", conn.Settings{Idle: s, Interval: 2 * s, Count: 1}, 0, 0, s, []time.Duration{s}, 3 * s},
		{"user timeout before the first probe", conn.Settings{Idle: 60 * s, Interval: 10 * s, Count: 6, UserTimeout: 30 * s}, 0, 0, 60 * s, []time.Duration{60 * s}, 70 * s},
		{"user timeout at a firing", conn.Settings{Idle: 60 * s, Interval: 10 * s, Count: 1, UserTimeout: 80 * s}, 0, 0, 60 * s, []time.Duration{60 * s, 70 * s}, 80 * s},
		{"user timeout between firings", conn.Settings{Idle: 60 * s, Interval: 10 * s, Count: 9, UserTimeout: 71 * s}, 0, 0, 60 * s, []time.Duration{60 * s, 70 * s}, 80 * s},
		{"heard by data after one probe", conn.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3}, 1, 20 * ms, 60*s - 20*ms, []time.Duration{60 * s, 70 * s}, 80 * s},
		{"heard by data after all of them", conn.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3}, 3, 20 * ms, 60*s - 20*ms, nil, 60 * s},
		{"under way", conn.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3}, 2, 73 * s, 7 * s, []time.Duration{80 * s}, 90 * s},
		{"the last firing", conn.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3}, 3, 83 * s, 7 * s, nil, 90 * s},
		{"user timeout over, one out", conn.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3, UserTimeout: s}, 1, 63 * s, 7 * s, nil, 70 * s},
	} {
		line := conn.NewTimeline(tt.set, tt.out, tt.idle, tt.next, hz)
		var probes []time.Duration
		for i := range line.Probes {
			st := line.Step(i)
			probes = append(probes, st.At)
			if st.Probe != tt.out+i+1 || st.Latest < st.At || st.Latest > st.At+st.At/4 {
				t.Errorf("%s: %+v", tt.name, st)
			}
		}
		if end := line.End(); fmt.Sprint(probes) != fmt.Sprint(tt.probes) || end.At != tt.end || end.Probe != 0 {
			t.Errorf("%s: probes %v, end %+v\nwant %v, %v", tt.name, probes, end, tt.probes, tt.end)
		}
	}
}

// TestTimelineBoundsLateTimers plays tcp_keepalive_timer() with timers that are
// late by anything up to their slack: it gives up by Latest, and not before At.
func TestTimelineBoundsLateTimers(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	upTo := func(limit int) time.Duration { return time.Duration(rnd.IntN(limit)) * time.Millisecond }
	for range 20_000 {
		s := conn.Settings{Idle: upTo(20_000), Interval: time.Millisecond + upTo(3_000), Count: rnd.IntN(12)}
		if rnd.IntN(2) == 0 {
			s.UserTimeout = time.Millisecond + upTo(60_000)
		}
		hz := jiffies.HZ(1000)
		out, idleFor, next := rnd.IntN(300)*rnd.IntN(2), upTo(30_000), upTo(6_000)
		line := conn.NewTimeline(s, out, idleFor, next, hz)
		late := func(d time.Duration) time.Duration {
			return d + []time.Duration{0, hz.Slack(d), time.Duration(rnd.Int64N(int64(hz.Slack(d)) + 1))}[rnd.IntN(3)]
		}
		probesOut, at := uint8(out), idleFor+late(next)
		over := func() bool {
			if s.UserTimeout != 0 {
				return at >= s.UserTimeout && probesOut > 0
			}
			return int(probesOut) >= s.Count
		}
		for !over() {
			probesOut++
			at += late(s.Interval)
		}
		end := line.End()
		least := end.At
		if s.UserTimeout != 0 { // a probe that is late may be the giving up instead
			least = min(least, max(s.UserTimeout, idleFor+next))
		}
		if at < least || at > end.Latest {
			t.Fatalf("%+v, %d out, idle for %s, next in %s: gives up after %s, want %s to %s", s, out, idleFor, next, at, least, end.Latest)
		}
	}
}

// TestTimelineOfMany: a user timeout of weeks and an interval of 0, which the
// kernel takes for its sysctl, are billions of probes and one answer.
func TestTimelineOfMany(t *testing.T) {
	const weeks = (1<<31 - 1) * time.Millisecond
	line := conn.NewTimeline(conn.Settings{Idle: 5 * time.Second, Count: 9, UserTimeout: weeks}, 0, 0, 5*time.Second, 250)
	want := int((weeks - 5*time.Second + 4*time.Millisecond - 1) / (4 * time.Millisecond))
	if line.Probes != want || line.Every != 4*time.Millisecond {
		t.Errorf("%d probes, one every %s; want %d, one every 4ms", line.Probes, line.Every, want)
	}
	if end := line.End(); end.Probe != 0 || end.At < weeks || end.At >= weeks+4*time.Millisecond {
		t.Errorf("%+v, want the end within a jiffy after %s", end, weeks)
	}
	// A timer of a jiffy may be a jiffy late each time.
	if late, ok := line.Reaches(0, weeks); !ok || late.Latest < weeks || late.Latest > weeks+8*time.Millisecond || late.At > weeks*6/10 {
		t.Errorf("%+v, %v, want the first that may be so late as %s", late, ok, weeks)
	}
	for _, out := range []int{1, 255, 300} {
		line := conn.NewTimeline(conn.Settings{Idle: time.Second, Interval: 1 << 31 * 10 * time.Millisecond, Count: 255}, out, 0, 1<<32*10*time.Millisecond, 100)
		for _, i := range []int{0, line.Probes / 2, line.Probes} {
			if st := line.Step(i); st.At < 0 || st.Latest < st.At {
				t.Errorf("%d out: %+v", out, st)
			}
		}
	}
}

// TestTimelineAgreesWithTheKernel stages silent peers with many settings at
// once: each connection is given up when Timeline says so, not before and not
// later than the timers' slack, and the application reads ETIMEDOUT.
func TestTimelineAgreesWithTheKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("takes 10 s")
	}
	t.Parallel()
	loopbackUp(t)
	hz, err := jiffies.Read()
	if err != nil {
		t.Fatal(err)
	}
	// A busy machine's timers fire late; half the shortest interval still tells two
	// firings apart.
	const scheduling = 500 * time.Millisecond
	// A machine that stands still altogether delays all of them.
	stood := standstill(t)
	var wg sync.WaitGroup
	n := 0
	var mu sync.Mutex
	var worst time.Duration
	for idle := 1; idle <= 2; idle++ {
		for intvl := 1; intvl <= 2; intvl++ {
			for cnt := 1; cnt <= 4; cnt++ {
				for _, user := range []int{0, 500, 1500, 2500, 3000, 4500} {
					p := connect(t, "127.0.0.1")
					p.vanish(t)
					p.keepalive(t, idle, intvl, cnt, user)
					begun := time.Now()
					n++
					wg.Go(func() {
						name := fmt.Sprintf("idle %d intvl %d cnt %d user timeout %d", idle, intvl, cnt, user)
						set := conn.Settings{Idle: time.Duration(idle) * time.Second, Interval: time.Duration(intvl) * time.Second,
							Count: cnt, UserTimeout: time.Duration(user) * time.Millisecond}
						line := conn.NewTimeline(set, 0, 0, set.Idle, hz)
						end := line.End()
						got := waitForEnd(p.ours, end.Latest+3*time.Second)
						alive, dead := got.alive.Sub(begun), got.dead.Sub(begun)
						if !errors.Is(got.errno, unix.ETIMEDOUT) || dead < end.At-20*time.Millisecond || alive > end.Latest+scheduling+stood() {
							t.Errorf("%s: %v after %s to %s, predicted %s to %s (the machine stood still for %s)", name, got.errno, alive, dead, end.At, end.Latest, stood())
						}
						mu.Lock()
						worst = max(worst, alive-end.At)
						mu.Unlock()
					})
				}
			}
		}
	}
	wg.Wait()
	t.Logf("%d connections, the latest end came at least %s after the predicted time", n, worst)
}

// standstill watches how long this process does not run at most, of what is
// more than a tick of its own.
func standstill(t *testing.T) func() time.Duration {
	const tick = 10 * time.Millisecond
	var most atomic.Int64
	ticker := time.NewTicker(tick)
	t.Cleanup(ticker.Stop)
	go func() {
		for last := time.Now(); t.Context().Err() == nil; {
			select {
			case <-ticker.C:
			case <-t.Context().Done():
			}
			now := time.Now()
			most.Store(max(most.Load(), int64(now.Sub(last)-tick)))
			last = now
		}
	}()
	return func() time.Duration { return time.Duration(most.Load()) }
}

// end is between two looks at the connection, and what its application read. A process
// that waits for a processor looks late: the end is known less exactly then, and not later.
type end struct {
	alive, dead time.Time
	errno       error
}

// waitForEnd waits so long for the connection's end, and takes its error.
func waitForEnd(fd int, limit time.Duration) end {
	e := end{alive: time.Now()}
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
	for begun := e.alive; ; {
		look := time.Now()
		n, err := unix.Poll(fds, 10)
		e.dead = time.Now()
		switch {
		case n > 0:
			errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			e.errno = cmp.Or(err, error(unix.Errno(errno)))
			return e
		case err == nil:
			e.alive = look
		case !errors.Is(err, unix.EINTR):
			e.errno = err
			return e
		}
		if e.dead.Sub(begun) > limit {
			e.errno = errors.New("still alive")
			return e
		}
	}
}
