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

// Fill sets the names that belong to the owner's ids.
func (n *Names) Fill(o *conn.Owner) {
	if n == nil || o.Container == "" && o.Pod == "" {
		return
	}
	if n.pods != nil && o.Pod != "" {
		is := n.pods.known(o.Pod)
		if is.Name == "" {
			is.PodName = n.pods.find(o.Pod, time.Since(n.start))
		}
		o.PodNamespace, o.PodName = is.Namespace, is.Name
	}
	if n.containers != nil && o.Container != "" {
		o.ContainerName = n.containers.find(o.Container, o.Cgroup, time.Since(n.start))
	}
}
