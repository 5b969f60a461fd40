// SPDX-License-Identifier: BSD-2-Clause

package inventory

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"katrace/internal/events"
	"katrace/internal/loader"
)

func TestTimeline(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	tick := 4 * ms
	for _, tt := range []struct {
		name       string
		set        events.Settings
		unanswered int
		idle, next time.Duration
		probes     []time.Duration
		end        time.Duration
	}{
		{"count", events.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3}, 0, 0, 60 * s, []time.Duration{60 * s, 70 * s, 80 * s}, 90 * s},
		{"one", events.Settings{Idle: s, Interval: 2 * s, Count: 1}, 0, 0, s, []time.Duration{s}, 3 * s},
		{"user timeout before the first probe", events.Settings{Idle: 60 * s, Interval: 10 * s, Count: 6, UserTimeout: 30 * s}, 0, 0, 60 * s, []time.Duration{60 * s}, 70 * s},
		{"user timeout at a firing", events.Settings{Idle: 60 * s, Interval: 10 * s, Count: 1, UserTimeout: 80 * s}, 0, 0, 60 * s, []time.Duration{60 * s, 70 * s}, 80 * s},
		{"user timeout between firings", events.Settings{Idle: 60 * s, Interval: 10 * s, Count: 9, UserTimeout: 71 * s}, 0, 0, 60 * s, []time.Duration{60 * s, 70 * s}, 80 * s},
		{"under way", events.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3}, 2, 73 * s, 7 * s, []time.Duration{80 * s}, 90 * s},
		{"the last firing", events.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3}, 3, 83 * s, 7 * s, nil, 90 * s},
		{"user timeout over, one out", events.Settings{Idle: 60 * s, Interval: 10 * s, Count: 3, UserTimeout: s}, 1, 63 * s, 7 * s, nil, 70 * s},
	} {
		steps := Timeline(tt.set, tt.unanswered, tt.idle, tt.next, tick)
		var probes []time.Duration
		for i, st := range steps[:len(steps)-1] {
			probes = append(probes, st.At)
			if st.Probe != tt.unanswered+i+1 || st.Latest < st.At || st.Latest > st.At+st.At/4 {
				t.Errorf("%s: %+v", tt.name, st)
			}
		}
		if end := steps[len(steps)-1]; fmt.Sprint(probes) != fmt.Sprint(tt.probes) || end.At != tt.end || end.Probe != 0 {
			t.Errorf("%s: probes %v, end %+v\nwant %v, %v", tt.name, probes, end, tt.probes, tt.end)
		}
	}
}

// TestSlack holds the rule against the table in kernel/time/timer.c (HZ=250).
func TestSlack(t *testing.T) {
	const tick = 4 * time.Millisecond
	for _, tt := range []struct{ d, want time.Duration }{
		{0, tick},
		{248 * time.Millisecond, tick},
		{252 * time.Millisecond, 8 * tick},
		{time.Second, 8 * tick},
		{2012 * time.Millisecond, 8 * tick},
		{2016 * time.Millisecond, 64 * tick},
		{60 * time.Second, 512 * tick},
		{2 * time.Hour, 32768 * tick},
	} {
		if got := Slack(tt.d, tick); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.d, got, tt.want)
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
	loopbackUp(t)
	jiffy, err := loader.Jiffy()
	if err != nil {
		t.Fatal(err)
	}
	// Threads that wait for a processor see the end late; half the shortest
	// interval still tells two firings apart.
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
						set := events.Settings{Idle: time.Duration(idle) * time.Second, Interval: time.Duration(intvl) * time.Second,
							Count: cnt, UserTimeout: time.Duration(user) * time.Millisecond}
						steps := Timeline(set, 0, 0, set.Idle, jiffy)
						end := steps[len(steps)-1]
						took, errno := waitForEnd(p.ours, begun, end.Latest+3*time.Second)
						if !errors.Is(errno, unix.ETIMEDOUT) || took < end.At-20*time.Millisecond || took > end.Latest+scheduling+stood() {
							t.Errorf("%s: %v after %s, predicted %s to %s (the machine stood still for %s)", name, errno, took, end.At, end.Latest, stood())
						}
						mu.Lock()
						worst = max(worst, took-end.At)
						mu.Unlock()
					})
				}
			}
		}
	}
	wg.Wait()
	t.Logf("%d connections, the latest end came %s after the predicted time", n, worst)
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

// waitForEnd waits for the connection's end and takes its error.
func waitForEnd(fd int, begun time.Time, limit time.Duration) (time.Duration, error) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		left := limit - time.Since(begun)
		n, err := unix.Poll(fds, max(0, int(left.Milliseconds())+1))
		took := time.Since(begun)
		if n == 0 && left <= 0 {
			return took, errors.New("still alive")
		}
		if n > 0 {
			errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
			if err != nil {
				return took, err
			}
			return took, unix.Errno(errno)
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return took, err
		}
	}
}
