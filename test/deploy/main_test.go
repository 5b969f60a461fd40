// SPDX-License-Identifier: BSD-2-Clause

// Package deploy holds deploy/kubernetes against the types of Kubernetes' API, and
// tries the DaemonSet's container in Podman: as it is, and without each of the
// capabilities, mounts and namespaces that it asks for.
//
//	make test-deploy
//
// It is a module of its own, so that katrace does not depend on what it takes. There
// is no kubelet: the pods' cgroups are real ones with the kubelet's names, and
// /var/log/pods is made.
package deploy

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"katrace/test/podman"
)

var program = flag.String("katrace", "", "the program to test")

func TestMain(m *testing.M) {
	podman.HoldIfAsked()
	flag.Parse()
	if *program == "" || os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "name the program to test, and be root: make test-deploy")
		os.Exit(2)
	}
	os.Exit(podman.Main(m))
}
