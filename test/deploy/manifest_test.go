// SPDX-License-Identifier: BSD-2-Clause

package deploy

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const manifests = "../../deploy/kubernetes"

// The two tiers.
const (
	podsKnown      = manifests + "/base"
	processesKnown = manifests + "/overlays/processes"
)

// build is what kubectl apply -k would apply.
func build(t *testing.T, dir string) []byte {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// objects decodes each document of a manifest strictly, by its kind.
func objects(t *testing.T, name string, text []byte) map[string]any {
	t.Helper()
	found := map[string]any{}
	for _, doc := range bytes.Split(text, []byte("\n---\n")) {
		var head struct{ Kind, APIVersion string }
		if err := yaml.Unmarshal(doc, &head); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var object any
		switch head.APIVersion + " " + head.Kind {
		case "v1 Namespace":
			object = new(core.Namespace)
		case "v1 ServiceAccount":
			object = new(core.ServiceAccount)
		case "apps/v1 DaemonSet":
			object = new(apps.DaemonSet)
		default:
			t.Fatalf("%s: %+v: say here what it is", name, head)
		}
		if err := yaml.UnmarshalStrict(doc, object); err != nil {
			t.Errorf("%s: %s: %v", name, head.Kind, err)
		}
		found[head.Kind] = object
	}
	return found
}

func daemonSet(t *testing.T, dir string) *apps.DaemonSet {
	t.Helper()
	set, ok := objects(t, dir, build(t, dir))["DaemonSet"].(*apps.DaemonSet)
	if !ok {
		t.Fatalf("%s: no DaemonSet", dir)
	}
	return set
}

// TestManifests: all files are what Kubernetes knows, without a key that it does not
// know, and so is what kustomize makes of them.
func TestManifests(t *testing.T) {
	files := 0
	err := filepath.WalkDir(manifests, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(path) == "kustomization.yaml" {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if err == nil {
			objects(t, path, text)
		}
		return err
	})
	if err != nil || files < 4 {
		t.Errorf("%d files, %v", files, err)
	}
	for _, dir := range []string{podsKnown, processesKnown} {
		all := objects(t, dir, build(t, dir))
		if len(all) != 3 {
			t.Errorf("%s: %d objects", dir, len(all))
		}
		namespace := all["Namespace"].(*core.Namespace).Name
		for _, got := range []string{all["ServiceAccount"].(*core.ServiceAccount).Namespace, all["DaemonSet"].(*apps.DaemonSet).Namespace} {
			if got != namespace {
				t.Errorf("%s: in namespace %q, not %q", dir, got, namespace)
			}
		}
	}
}

// TestTiers: what each tier has, and nothing more: no token, no network of the
// host's, nothing to write to.
func TestTiers(t *testing.T) {
	base := []core.Capability{"BPF", "PERFMON", "SYSLOG", "DAC_READ_SEARCH"}
	for _, tt := range []struct {
		dir     string
		hostPID bool
		caps    []core.Capability
	}{
		{podsKnown, false, base},
		{processesKnown, true, append(slices.Clone(base), "SYS_PTRACE")},
	} {
		pod := daemonSet(t, tt.dir).Spec.Template.Spec
		if pod.HostPID != tt.hostPID || pod.HostNetwork || pod.HostIPC || pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
			t.Errorf("%s: hostPID %v, hostNetwork %v, hostIPC %v, token %v", tt.dir, pod.HostPID, pod.HostNetwork, pod.HostIPC, pod.AutomountServiceAccountToken)
		}
		if len(pod.Containers) != 1 || len(pod.InitContainers) != 0 {
			t.Fatalf("%s: %d containers", tt.dir, len(pod.Containers))
		}
		c := pod.Containers[0]
		s := c.SecurityContext
		if s.Privileged != nil || *s.AllowPrivilegeEscalation || !*s.ReadOnlyRootFilesystem || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
			t.Errorf("%s: %+v", tt.dir, s)
		}
		if !slices.Equal(s.Capabilities.Add, tt.caps) || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) {
			t.Errorf("%s: capabilities %+v, want %v", tt.dir, s.Capabilities, tt.caps)
		}
		for _, m := range c.VolumeMounts {
			if !m.ReadOnly {
				t.Errorf("%s: %s can be written to", tt.dir, m.MountPath)
			}
		}
		if strings.Contains(c.Image, "/") || !strings.HasPrefix(c.Image, "katrace:") {
			t.Errorf("%s: image %q: no registry is known", tt.dir, c.Image)
		}
	}
}
