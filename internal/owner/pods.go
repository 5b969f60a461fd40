// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"errors"
	"io"
	"maps"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"katrace/internal/conn"
)

// PodLogs is where the kubelet has a directory for each pod, from before its first
// container starts until the pod is deleted (podLogsRootDirectory and
// BuildPodLogsDirectory in Kubernetes' pkg/kubelet/kuberuntime/helpers.go):
// NAMESPACE_NAME_UID. The names alone are read, which takes no token and no socket.
const PodLogs = "/var/log/pods"

// pods finds a pod's name by its uid, as cgroups have it. What was found once holds
// for ever: a uid is not used again, and a pod's last connections may end after
// its directory is gone.
type pods struct {
	dir   string
	tries budget

	all atomic.Pointer[map[string]pod] // by uid; not changed, but replaced

	mu sync.Mutex // held while the directory is read
}

type pod struct {
	conn.PodName
	until time.Duration // for one without a name: not looked for again before
}

const (
	podTries  = 10               // readings of the directory, a second
	podForget = 10 * time.Second // how long "no such pod" is believed
	maxPods   = 1 << 14          // a node has some hundred
)

func newPods(dir string) *pods {
	p := &pods{dir: dir, tries: budget{limit: podTries}}
	p.all.Store(&map[string]pod{})
	return p
}

// find is the name of the pod with that uid; zero where it is not known. One that
// is not cached takes a reading of the directory, at most podTries times a second.
func (p *pods) find(uid string, now time.Duration) conn.PodName {
	if is := p.known(uid); is.Name != "" || now < is.until || !p.tries.take(now) {
		return is.PodName
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if is := p.known(uid); is.Name != "" || now < is.until { // by another's reading
		return is.PodName
	}
	there := readPods(p.dir)
	if old := *p.all.Load(); len(old)+len(there) < maxPods {
		for uid, is := range old {
			if _, ok := there[uid]; !ok {
				there[uid] = is
			}
		}
	}
	if there[uid].Name == "" {
		there[strings.Clone(uid)] = pod{until: now + podForget}
	}
	p.all.Store(&there)
	return there[uid].PodName
}

// known is the pod as it was found; zero where it was not looked for.
func (p *pods) known(uid string) pod { return (*p.all.Load())[uid] }

// Pods are the pods that have a directory there.
func Pods(dir string) []conn.PodName {
	var names []conn.PodName
	for is := range maps.Values(readPods(dir)) {
		names = append(names, is.PodName)
	}
	return names
}

// readPods is empty where there is no such directory, or it may not be read.
func readPods(dir string) map[string]pod {
	found := map[string]pod{}
	d, err := os.Open(dir)
	if err != nil {
		return found
	}
	defer func() { _ = d.Close() }()
	for len(found) < maxPods {
		entries, err := d.ReadDir(1024)
		for _, e := range entries {
			if name, uid, ok := parsePodDir(e.Name()); ok && e.IsDir() {
				found[uid] = pod{PodName: name}
			}
		}
		if errors.Is(err, io.EOF) || err != nil {
			break
		}
	}
	return found
}

// parsePodDir takes NAMESPACE_NAME_UID apart. Names in Kubernetes have no
// underscore: a namespace is a DNS label (RFC 1123), a pod's name a DNS subdomain.
func parsePodDir(dir string) (name conn.PodName, uid string, ok bool) {
	parts := strings.Split(dir, "_")
	if len(parts) != 3 {
		return conn.PodName{}, "", false
	}
	name, uid = conn.PodName{Namespace: parts[0], Name: parts[1]}, parts[2]
	return name, uid, IsPodName(name) && isPodUID(uid)
}

// IsPodName says that a pod can have this namespace and this name
// (IsDNS1123Label and IsDNS1123Subdomain in k8s.io/apimachinery/pkg/util/validation).
func IsPodName(p conn.PodName) bool {
	if len(p.Namespace) > 63 || len(p.Name) > 253 || !isDNSLabel(p.Namespace) {
		return false
	}
	for label := range strings.SplitSeq(p.Name, ".") {
		if !isDNSLabel(label) {
			return false
		}
	}
	return true
}

func isDNSLabel(s string) bool {
	return s != "" && s[0] != '-' && s[len(s)-1] != '-' && strings.Trim(s, "0123456789abcdefghijklmnopqrstuvwxyz-") == ""
}
