// SPDX-License-Identifier: BSD-2-Clause

package group

import "katrace/internal/conn"

// Names are what people call the container and the pod of a group, where that is
// known. They are for showing, and no part of an ID: they may become known late.
type Names struct {
	Container string
	Pod       conn.PodName
	Workload  conn.PodName
}

// Take takes over what one of the group's connections knows, if the group is by it.
func (n *Names) Take(keys Keys, s *conn.State) {
	for _, k := range keys {
		switch k {
		case Container:
			if s.ContainerName != "" {
				n.Container = s.ContainerName
			}
		case Pod:
			if s.PodName != "" {
				n.Pod = conn.PodName{Namespace: s.PodNamespace, Name: s.PodName}
			}
		case Workload:
			if n.Workload.Name == "" && s.PodName != "" {
				n.Workload = conn.PodName{Namespace: s.PodNamespace, Name: s.Workload()}
			}
		case Remote, Service, Process, Settings, Netns:
		}
	}
}

// AppendContainer appends the container's name, or the beginning of its id; nothing
// where there is none.
func (n *Names) AppendContainer(dst []byte, id *ID) []byte {
	if n.Container != "" {
		return conn.AppendSafe(dst, n.Container)
	}
	return conn.AppendShortID(dst, id.Container)
}

// AppendPod appends the pod of a group: "shop/cart-7d9f8b6c5-x2x4k" or, where it
// has no name, its uid; nothing where there is none.
func (n *Names) AppendPod(dst []byte, id *ID) []byte {
	if n.Pod.Name == "" {
		return conn.AppendSafe(dst, id.Pod)
	}
	return appendNamed(dst, n.Pod)
}

// AppendWorkload appends "shop/cart"; nothing where there is none.
func (n *Names) AppendWorkload(dst []byte) []byte {
	if n.Workload.Name == "" {
		return dst
	}
	return appendNamed(dst, n.Workload)
}

func appendNamed(dst []byte, of conn.PodName) []byte {
	return conn.AppendSafe(append(conn.AppendSafe(dst, of.Namespace), '/'), of.Name)
}
