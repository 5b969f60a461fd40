// SPDX-License-Identifier: BSD-2-Clause

package owner

import (
	"time"

	"katrace/internal/conn"
)

// Names finds what people call pods and containers, of which cgroups have ids. nil
// knows none. Safe for concurrent use.
type Names struct {
	start      time.Time
	pods       *pods           // nil: not asked for
	containers *containerNames // nil: not asked for
}

// OpenNames looks for pods in the directory pods, "": nowhere; and for the names of
// containers in what Docker and Podman keep of them, if they are wanted. Nothing is
// read before it is needed.
func OpenNames(pods string, containers bool) *Names {
	n := &Names{start: time.Now()}
	if pods != "" {
		n.pods = newPods(pods)
	}
	if containers {
		n.containers = newContainerNames("/")
	}
	return n
}

// OfContainers says that those of containers are looked for.
func (n *Names) OfContainers() bool { return n != nil && n.containers != nil }

// Hanging is the home directory that does not answer, and whose it is; "": none.
func (n *Names) Hanging() (home string, uid uint32) {
	if !n.OfContainers() {
		return "", 0
	}
	return n.containers.hanging(time.Since(n.start))
}

// Fill sets the names that belong to the owner's ids. late says that the container's
// could not be read in time: it may have one.
func (n *Names) Fill(o *conn.Owner) (late bool) {
	if n == nil || o.Container == "" && o.Pod == "" {
		return false
	}
	if n.pods != nil && o.Pod != "" {
		is := n.pods.known(o.Pod)
		if is.Name == "" {
			is.PodName = n.pods.find(o.Pod, time.Since(n.start))
		}
		o.PodNamespace, o.PodName = is.Namespace, is.Name
	}
	if n.containers != nil && o.Container != "" {
		o.ContainerName, late = n.containers.find(o.Container, o.Cgroup, time.Since(n.start))
	}
	return late
}
