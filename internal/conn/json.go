// SPDX-License-Identifier: BSD-2-Clause

package conn

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// AppendKeys appends the keys of the state that say which connection it is and
// who holds it, each with a comma before it. It is written by hand, as all that
// writes an event's line, because encoding/json allocates for every event; what
// every line has, without a call for each key.
func (s *State) AppendKeys(dst []byte) []byte { return s.appendOwnerKeys(s.appendSocketKeys(dst)) }

func (s *State) appendSocketKeys(dst []byte) []byte {
	dst = s.appendNetnsKey(dst)
	if s.Inode != 0 {
		dst = AppendDecimal(append(dst, inodeKey...), s.Inode)
	}
	dst = s.appendStateKeys(dst)
	if s.Local.IsValid() {
		dst = append(AppendDecimal(appendAddr(append(dst, localKey...), s.Local.Addr()), uint64(s.Local.Port())), '}')
	}
	if s.Remote.IsValid() {
		dst = append(AppendDecimal(appendAddr(append(dst, remoteKey...), s.Remote.Addr()), uint64(s.Remote.Port())), '}')
	}
	return dst
}

const (
	inodeKey  = `,"inode":`
	localKey  = `,"local":{"addr":"`
	remoteKey = `,"remote":{"addr":"`
)

func (s *State) appendNetnsKey(dst []byte) []byte {
	if s.Netns == 0 {
		return dst
	}
	return AppendDecimal(append(dst, `,"netns":`...), uint64(s.Netns))
}

func (s *State) appendStateKeys(dst []byte) []byte {
	dst = AppendWord(dst, "family", s.Family.String())
	return AppendWord(dst, "state", s.TCPState.String())
}

// appendAddr appends an address and the key of its port.
func appendAddr(dst []byte, a netip.Addr) []byte {
	return append(a.AppendTo(dst), `","port":`...)
}

func (s *State) appendOwnerKeys(dst []byte) []byte {
	if s.Process.PID != 0 {
		dst = append(dst, `,"process":{"pid":`...)
		dst = AppendInt(dst, int64(s.Process.PID))
		dst = append(AppendText(dst, "comm", s.Process.Comm), '}')
	}
	dst = AppendWord(dst, "held_by", s.HeldBy.String())
	dst = AppendText(dst, "module", s.Module)
	if s.Has&HasUID != 0 {
		dst = AppendDecimal(append(dst, `,"uid":`...), uint64(s.UID))
	}
	dst = AppendText(dst, "cgroup", s.Cgroup)
	dst = AppendText(dst, "container", s.Container)
	dst = AppendText(dst, "container_name", s.ContainerName)
	dst = AppendText(dst, "pod", s.Pod)
	dst = AppendText(dst, "pod_namespace", s.PodNamespace)
	dst = AppendText(dst, "pod_name", s.PodName)
	return AppendText(dst, "workload", s.Workload()) // of the name: it is not read again
}

// AppendKeys appends the keys of the settings in force, without the
// braces around them and with a comma before each but the first.
func (s *Settings) AppendKeys(dst []byte) []byte {
	dst = s.AppendValues(dst)
	if s.Unsure != 0 {
		return AppendSettingNames(dst, `,"set":[`, s.Own()) // these are certain, the others may be, too
	}
	return AppendSettingNames(dst, `,"inherited":[`, s.Inherited)
}

// AppendValues appends those keys of the settings that do not say where they
// come from.
func (s *Settings) AppendValues(dst []byte) []byte {
	dst = append(dst, `"idle_ms":`...)
	dst = AppendInt(dst, s.Idle.Milliseconds())
	dst = append(dst, `,"intvl_ms":`...)
	dst = AppendInt(dst, s.Interval.Milliseconds())
	dst = append(dst, `,"cnt":`...)
	dst = AppendInt(dst, int64(s.Count))
	dst = append(dst, `,"user_timeout_ms":`...)
	return AppendInt(dst, s.UserTimeout.Milliseconds())
}

// AppendData appends the keys of the data, each with a comma before it.
func (d *Data) AppendData(dst []byte) []byte {
	dst = AppendUint(dst, "retransmits", uint64(max(0, d.Retransmits)))
	return AppendUint(dst, "unacked_bytes", uint64(d.Unacked))
}

// AppendArmed appends the key of a timer that runs longer than the settings say.
func (t *Timer) AppendArmed(dst []byte) []byte {
	if !t.ArmedBeforeChange {
		return dst
	}
	return append(dst, `,"armed_before_change":true`...)
}

// AppendSettingNames appends the array of the settings' names behind its key, which opens it.
func AppendSettingNames(dst []byte, key string, set Setting) []byte {
	dst = append(dst, key...)
	first := true
	for one := SettingIdle; one <= SettingCount; one <<= 1 {
		if set&one == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, '"')
		dst = append(dst, one.Name()...)
		dst = append(dst, '"')
	}
	return append(dst, ']')
}

func appendKey(dst []byte, key string) []byte {
	dst = append(dst, ',', '"')
	dst = append(dst, key...)
	return append(dst, '"', ':')
}

// AppendUint appends a key and its number, with a comma before them, as the
// following functions do.
func AppendUint(dst []byte, key string, n uint64) []byte {
	return AppendDecimal(appendKey(dst, key), n)
}

// AppendMillis appends a time in whole milliseconds.
func AppendMillis(dst []byte, key string, d time.Duration) []byte {
	return AppendInt(appendKey(dst, key), d.Milliseconds())
}

// AppendWord appends a word of our own, which needs no escaping; none if empty.
func AppendWord(dst []byte, key, word string) []byte {
	if word == "" {
		return dst
	}
	dst = append(appendKey(dst, key), '"')
	dst = append(dst, word...)
	return append(dst, '"')
}

// AppendText appends a string from outside, a recording included; none if empty.
func AppendText(dst []byte, key, text string) []byte {
	if text == "" {
		return dst
	}
	return appendText(dst, key, text)
}

func appendText(dst []byte, key, text string) []byte { return AppendString(appendKey(dst, key), text) }

// Keys are the JSON keys of a State and a Timer as encoding/json reads them.
// Those that are absent stay nil or empty.
type Keys struct {
	Host   string    `json:"host"`
	Netns  uint32    `json:"netns"`
	Inode  uint64    `json:"inode"`
	Family string    `json:"family"`
	State  string    `json:"state"`
	Local  *addrPort `json:"local"`
	Remote *addrPort `json:"remote"`

	Process *struct {
		PID  int    `json:"pid"`
		Comm string `json:"comm"`
	} `json:"process"`
	HeldBy        string  `json:"held_by"`
	Module        string  `json:"module"`
	UID           *uint32 `json:"uid"`
	Cgroup        string  `json:"cgroup"`
	Container     string  `json:"container"`
	ContainerName string  `json:"container_name"`
	Pod           string  `json:"pod"`
	PodNamespace  string  `json:"pod_namespace"`
	PodName       string  `json:"pod_name"`

	Keepalive *struct {
		Idle        Millis   `json:"idle_ms"`
		Interval    Millis   `json:"intvl_ms"`
		Count       uint8    `json:"cnt"`
		UserTimeout Millis   `json:"user_timeout_ms"`
		Inherited   []string `json:"inherited"`
		Set         []string `json:"set"`
	} `json:"keepalive"`
	WaitsFor   string  `json:"waits_for"`
	Unanswered *uint32 `json:"unanswered"`
	IdleFor    *Millis `json:"idle_for_ms"`
	Next       *Millis `json:"next_ms"`
	DiesIn     *Millis `json:"dies_in_ms"`
	Armed      bool    `json:"armed_before_change"`
}

type addrPort struct {
	Addr netip.Addr `json:"addr"`
	Port uint16     `json:"port"`
}

// Millis is a time in whole milliseconds.
type Millis int64

// Span is the time.
func (m Millis) Span() time.Duration { return time.Duration(m) * time.Millisecond }

// UnmarshalJSON refuses what a time.Duration does not hold.
func (m *Millis) UnmarshalJSON(data []byte) error {
	n, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil || n != int64(Millis(n).Span()/time.Millisecond) {
		return fmt.Errorf("%q: want a time in milliseconds", data)
	}
	*m = Millis(n)
	return nil
}

// maxNames is how long the names of a connection may be together, in bytes: a
// cgroup's path has PATH_MAX (4096) at the most (proc_cgroup_show in the kernel), a
// process's name 64. Readers keep them for each connection.
const maxNames = 5 << 10

// Read makes a State and a Timer of the keys. An error says what no connection
// can have, or what would not be the same if it were written again. Where that is a
// word, an *enum.UnknownError, all else is read.
func (k *Keys) Read(s *State, t *Timer) error {
	names := len(k.Host) + len(k.Module) + len(k.Cgroup) + len(k.Container) + len(k.ContainerName) + len(k.Pod) + len(k.PodNamespace) + len(k.PodName)
	if k.Process != nil {
		names += len(k.Process.Comm)
	}
	if names > maxNames {
		return fmt.Errorf("host, process, module, cgroup, container and pod have %d bytes, want %d at the most", names, maxNames)
	}
	s.Host, s.Netns, s.Inode = k.Host, k.Netns, k.Inode
	s.Module, s.Cgroup, s.Container, s.Pod = k.Module, k.Cgroup, k.Container, k.Pod
	s.ContainerName, s.PodNamespace, s.PodName = k.ContainerName, k.PodNamespace, k.PodName
	unknown := cmp.Or(
		ParseWord(k.Family, &s.Family, ParseFamily), ParseWord(k.State, &s.TCPState, ParseTCPState),
		ParseWord(k.HeldBy, &s.HeldBy, ParseHeldBy), ParseWord(k.WaitsFor, &s.WaitsFor, ParseWaiting))
	for _, a := range [...]struct {
		in  *addrPort
		out *netip.AddrPort
	}{{k.Local, &s.Local}, {k.Remote, &s.Remote}} {
		if a.in == nil {
			continue
		}
		if !a.in.Addr.IsValid() || a.in.Addr.Zone() != "" {
			return fmt.Errorf("local, remote: %q is no address", a.in.Addr)
		}
		*a.out = netip.AddrPortFrom(a.in.Addr, a.in.Port)
	}
	if k.Process != nil {
		if k.Process.PID < 1 {
			return fmt.Errorf("process: pid %d", k.Process.PID)
		}
		s.Process = Process{k.Process.PID, k.Process.Comm}
	}
	if k.UID != nil {
		s.UID, s.Has = *k.UID, s.Has|HasUID
	}
	if in := k.Keepalive; in != nil {
		s.Keepalive = Settings{Idle: in.Idle.Span(), Interval: in.Interval.Span(), Count: int(in.Count), UserTimeout: in.UserTimeout.Span(),
			Inherited: settingSet(in.Inherited)}
		if in.Set != nil {
			s.Keepalive.Unsure = AllSettings &^ settingSet(in.Set)
		}
		s.Has |= HasKeepalive
	}
	if k.Unanswered != nil {
		s.Unanswered, s.Has = int(*k.Unanswered), s.Has|HasUnanswered
	}
	t.ArmedBeforeChange = k.Armed
	for _, d := range [...]struct {
		in   *Millis
		out  *time.Duration
		fact Fact
	}{{k.IdleFor, &t.IdleFor, HasIdleFor}, {k.Next, &t.Next, HasNext}, {k.DiesIn, &t.DiesIn, HasDiesIn}} {
		if d.in != nil {
			*d.out, s.Has = d.in.Span(), s.Has|d.fact
		}
	}
	return unknown
}

func settingSet(names []string) (set Setting) {
	for _, name := range names {
		for one := SettingIdle; one <= SettingCount; one <<= 1 {
			if one.Name() == name {
				set |= one
			}
		}
	}
	return set
}

// ParseWord reads a word of the JSON into *out; an empty one is absent.
func ParseWord[T any](in string, out *T, parse func(string) (T, error)) (err error) {
	if in != "" {
		*out, err = parse(in)
	}
	return err
}
