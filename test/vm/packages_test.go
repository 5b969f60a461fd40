// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// packagesFile is in the form of the archive's, with names that must not be taken.
const packagesFile = `Package: linux-image-6.18.15+deb13-cloud-amd64
Source: linux-signed-amd64 (6.18.15+1~bpo13+1)
Version: 6.18.15-1~bpo13+1
Architecture: amd64
Depends: kmod,
 linux-base (>= 4.3~)
Description: text
 more: text
Size: 49146196

Package: linux-binary-unsigned-7.3.4+deb13-cloud-amd64
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 13602692

Package: linux-binary-7.3.4+deb13-cloud-amd64
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 13604064

Package: linux-binary-7.3.4+deb13-cloud-arm64
Version: 7.3.4-1~bpo13+1
Architecture: arm64
Size: 10536456

Package: linux-modules-7.3.4+deb13-cloud-amd64
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 22918420

Package: linux-image-7.3.4+deb13-cloud-amd64
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 1928

Package: linux-image-7.3.4+deb13-amd64
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 99000000

Package: linux-image-7.3.4+deb13-cloud-amd64-dbg
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 353387656

Package: linux-image-cloud-amd64
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 1524

Package: linux-image-6.1.0-55-cloud-amd64
Version: 6.1.192-1
Architecture: amd64
Size: 26714844

Package: linux-image-6.1.0-56-cloud-amd64
Version: 6.1.192-2
Architecture: amd64
Size: 26713492

Package: linux-image-6.12.117+deb12-cloud-amd64
Version: 6.12.117-1~deb12u1
Architecture: amd64
Size: 34307256

Package: bash
Version: 5.2
Architecture: amd64
Size: 1500000
`

func TestChooseRelease(t *testing.T) {
	packages, err := readPackages(strings.NewReader(packagesFile), func(name string) bool { return strings.HasPrefix(name, "linux-") })
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) != 12 {
		t.Errorf("%d packages, want 12", len(packages))
	}
	for _, c := range []struct {
		series, arch string
		want         release
	}{
		{"newest", "amd64", release{"7.3.4-1~bpo13+1", []string{"linux-binary-7.3.4+deb13-cloud-amd64", "linux-modules-7.3.4+deb13-cloud-amd64"}}},
		{"newest", "arm64", release{"7.3.4-1~bpo13+1", []string{"linux-binary-7.3.4+deb13-cloud-arm64"}}},
		{"6.1", "amd64", release{"6.1.192-2", []string{"linux-image-6.1.0-56-cloud-amd64"}}},
		{"6.12", "amd64", release{"6.12.117-1~deb12u1", []string{"linux-image-6.12.117+deb12-cloud-amd64"}}},
	} {
		targets, err := parseTargets(c.series + "-" + c.arch)
		if err != nil {
			t.Fatal(err)
		}
		got, err := chooseRelease(packages, targets[0].series, targets[0].arch)
		if err != nil {
			t.Errorf("%s %s: %v", c.series, c.arch, err)
		}
		if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(release{})); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", c.series, c.arch, diff)
		}
	}
	if r, err := chooseRelease(packages, allSeries[0], "amd64"); err == nil {
		t.Errorf("5.10: %v out of packages that do not have it", r)
	}
}

func TestParseTargets(t *testing.T) {
	var got []string
	targets, err := parseTargets("5.10,newest-arm64")
	for _, target := range targets {
		got = append(got, target.name+" "+target.arch)
	}
	if d := cmp.Diff([]string{"5.10 amd64", "newest arm64"}, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	if _, err := parseTargets(matrixNames()); err != nil {
		t.Error(err)
	}
	for list, want := range map[string]string{
		"4.4":        `no kernel "4.4": there are 5.10,`,
		"6.1-s390x":  `kernel "6.1-s390x": no architecture "s390x"`,
		"newest,":    `no kernel ""`,
		"6.1 -arm64": `no kernel "6.1 "`,
	} {
		if _, err := parseTargets(list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", list, err, want)
		}
	}
}

func TestCompareVersions(t *testing.T) {
	// In rising order.
	versions := []string{
		"5.10.9-1", "5.10.262-1~rc1", "5.10.262-1", "5.10.262-1+b1", "5.10.262-1.1", "5.10.262-2", "6.1~rc3-1", "6.1-1",
		"6.12.90-1~bpo12+1", "6.12.90-1", "6.12.90-2", "6.12.107-1", "7.3.4-1~bpo13+1",
	}
	for i, a := range versions {
		for j, b := range versions {
			got := compareVersions(a, b)
			if (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("compare %s with %s: %d", a, b, got)
			}
		}
	}
}

func TestParseMirror(t *testing.T) {
	// No host is named here either: the URIs are paths.
	for _, c := range []struct {
		name, text string
		want       mirror
		bad        bool
	}{
		{"both", "file:/sec\tDebian\tbookworm-security\nfile:/a/debian/\tDebian\tbookworm\nfile:/other\tOther\tx\nfile:/b\tDebian\tbookworm-updates\n", mirror{"file:/a/debian/", "file:/sec/"}, false},
		{"derived", "file:/a/debian\tDebian\ttrixie\n", mirror{"file:/a/debian/", "file:/a/debian-security/"}, false},
		{"security only", "file:/sec\tDebian\tbookworm-security\n", mirror{"", "file:/sec/"}, true},
		{"another distribution", "file:/u\tUbuntu\tnoble\n", mirror{}, true},
		{"nothing", "", mirror{}, true},
	} {
		got, err := parseMirror(c.text)
		if (err != nil) != c.bad {
			t.Errorf("%s: error %v", c.name, err)
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
