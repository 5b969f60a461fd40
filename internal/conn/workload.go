// SPDX-License-Identifier: BSD-2-Clause

package conn

import "strings"

// Workload is what the connection's pod is one of many of: the name of its
// Deployment, StatefulSet, DaemonSet, Job or CronJob, in PodNamespace. It is taken
// from the pod's name alone, by the rules by which Kubernetes makes names. Where
// none of them fits it is the pod's name; "" where that is not known.
//
// A static pod is called after its file and its node, which Host may say.
func (s *State) Workload() string {
	if isStaticPod(s.Pod) {
		name, _ := strings.CutSuffix(s.PodName, "-"+s.Host) // an empty Host cuts nothing: no name ends with a dash
		return name
	}
	return workload(s.PodName)
}

// isStaticPod says that a pod's uid is the hash of its manifest, 32 hexadecimal
// digits (applyDefaults in pkg/kubelet/config/common.go). Others have dashes.
func isStaticPod(uid string) bool { return len(uid) == 32 && !strings.Contains(uid, "-") }

// letters are what parts of names are made of.
type letters [256]bool

func lettersOf(s string) *letters {
	var set letters
	for i := range len(s) {
		set[s[i]] = true
	}
	return &set
}

// madeOf says whether s has none but these.
func (set *letters) madeOf(s string) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return true
}

// Of what random parts of names are made (SafeEncodeString and String in
// k8s.io/apimachinery/pkg/util/rand), and what is left of that in a pod template's
// hash: it is a decimal number, each digit of which becomes one of ten letters.
const (
	randomLetters = "bcdfghjklmnpqrstvwxz2456789"
	hashLetters   = "456789bcdf"
)

var (
	random = lettersOf(randomLetters)
	hash   = lettersOf(hashLetters)
	number = lettersOf("0123456789")
)

const (
	suffixLen = 5
	// Below 100,000 is one hash in 43,000. Short words are more likely to be a part
	// of somebody's name.
	minHash, maxHash = 6, 10
	// maxGenerated is where generated names are cut, the suffix behind it
	// (k8s.io/apiserver/pkg/storage/names).
	maxGenerated = 63 - suffixLen
)

// workload is the part of a pod's name that it has in common with its siblings:
//
//	web-7d9f8b6c5-x2x4k   Deployment: the template's hash, and what is random
//	web-0                 StatefulSet: the ordinal
//	web-x2x4k             DaemonSet, ReplicaSet, Job: what is random
//	web-29344780-x2x4k    CronJob: the minutes since 1970
//	web-3-x2x4k           Job with indexes, DeploymentConfig: the index, the version
func workload(pod string) string {
	if at := len(pod) - suffixLen; len(pod) == maxGenerated+suffixLen && random.madeOf(pod[at:]) {
		return withoutHash(strings.TrimSuffix(pod[:at], "-"))
	}
	switch base, last := cutLast(pod); {
	case base == "":
		return pod
	case len(last) == suffixLen && random.madeOf(last):
		return withoutHash(base)
	case number.madeOf(last):
		return base
	}
	return pod
}

// withoutHash cuts off a template's hash or else numbers, of which an indexed Job
// of a CronJob has two.
func withoutHash(name string) string {
	if base, last := cutLast(name); base != "" && len(last) >= minHash && len(last) <= maxHash && hash.madeOf(last) {
		return base
	}
	for range 2 {
		if base, last := cutLast(name); base != "" && number.madeOf(last) {
			name = base
		}
	}
	return name
}

// cutLast cuts a name at its last dash; base is "" where there is none, or nothing
// on one side of it.
func cutLast(name string) (base, last string) {
	at := strings.LastIndexByte(name, '-')
	if at <= 0 || at == len(name)-1 {
		return "", ""
	}
	return name[:at], name[at+1:]
}
