// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"errors"
	"fmt"
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

Package: linux-binary-7.3.4+deb13-amd64
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 14000000

Package: linux-modules-7.3.4+deb13-amd64
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 85000000

Package: linux-binary-7.3.4+deb13-rt-amd64
Version: 7.3.4-1~bpo13+1
Architecture: amd64
Size: 14000000

Package: linux-binary-7.3.4+deb13-arm64-16k
Version: 7.3.4-1~bpo13+1
Architecture: arm64
Size: 14000000

Package: linux-image-6.1.0-56-rt-amd64
Version: 6.1.192-2
Architecture: amd64
Size: 60000000

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

func TestFindReleases(t *testing.T) {
	packages, err := readPackages(strings.NewReader(packagesFile), func(name string) bool { return strings.HasPrefix(name, "linux-") })
	if err != nil {
		t.Fatal(err)
	}
	if len(packages) != 16 {
		t.Errorf("%d packages, want 16", len(packages))
	}
	for target, want := range map[string][]release{
		"newest":               {{"7.3.4-1~bpo13+1", []string{"linux-binary-7.3.4+deb13-cloud-amd64", "linux-modules-7.3.4+deb13-cloud-amd64"}}, {"6.18.15-1~bpo13+1", []string{"linux-image-6.18.15+deb13-cloud-amd64"}}},
		"newest-arm64":         {{"7.3.4-1~bpo13+1", []string{"linux-binary-7.3.4+deb13-cloud-arm64"}}},
		"newest-generic":       {{"7.3.4-1~bpo13+1", []string{"linux-binary-7.3.4+deb13-amd64", "linux-modules-7.3.4+deb13-amd64"}}},
		"newest-rt":            {{"7.3.4-1~bpo13+1", []string{"linux-binary-7.3.4+deb13-rt-amd64"}}, {"6.1.192-2", []string{"linux-image-6.1.0-56-rt-amd64"}}},
		"6.1":                  {{"6.1.192-2", []string{"linux-image-6.1.0-56-cloud-amd64"}}, {"6.1.192-1", []string{"linux-image-6.1.0-55-cloud-amd64"}}},
		"6.1-rt":               {{"6.1.192-2", []string{"linux-image-6.1.0-56-rt-amd64"}}},
		"6.12-cloud-amd64":     {{"6.12.117-1~deb12u1", []string{"linux-image-6.12.117+deb12-cloud-amd64"}}},
		"6.12-generic":         nil, // what is for virtual machines only is not for all
		"newest-generic-arm64": nil,
		"5.10":                 nil,
	} {
		targets, err := parseTargets(target)
		if err != nil {
			t.Fatal(err)
		}
		got, err := findReleases(packages, targets[0])
		if (err != nil) != (want == nil) {
			t.Errorf("%s: %v, %v", target, got, err)
		}
		// "newest" takes any version that the suites have.
		if targets[0].name == "newest" && len(got) > 2 {
			got = got[:2]
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(release{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", target, diff)
		}
	}
}

// TestFirstToHave: what the archive lists and does not have is passed over, and
// nothing else is.
func TestFirstToHave(t *testing.T) {
	releases := []release{{version: "3"}, {version: "2"}, {version: "1"}}
	broken := errors.New("the disk is full")
	for _, c := range []struct {
		name  string
		have  map[string]error
		want  string
		asked int
		err   error
	}{
		{"the newest", map[string]error{}, "3", 1, nil},
		{"gone", map[string]error{"3": errGone}, "2", 2, nil},
		{"two gone", map[string]error{"3": errGone, "2": fmt.Errorf("wrapped: %w", errGone)}, "1", 3, nil},
		{"all gone", map[string]error{"3": errGone, "2": errGone, "1": errGone}, "", 3, errGone},
		{"another error", map[string]error{"3": errGone, "2": broken}, "", 2, broken},
	} {
		asked := 0
		var said strings.Builder
		k, err := firstToHave(releases, &said, func(r release) (*kernel, error) {
			asked++
			if err := c.have[r.version]; err != nil {
				return nil, err
			}
			return &kernel{Version: r.version}, nil
		})
		if !errors.Is(err, c.err) || asked != c.asked || (k != nil) != (c.want != "") || k != nil && k.Version != c.want {
			t.Errorf("%s: %v, %v after asking %d times, want %q, %v after %d", c.name, k, err, asked, c.want, c.err, c.asked)
		}
		if warned := strings.Count(said.String(), "WARNING"); c.err == nil && warned != c.asked-1 {
			t.Errorf("%s: %d warnings: %s", c.name, warned, said.String())
		}
	}
}

func TestNotFound(t *testing.T) {
	for text, want := range map[string]bool{
		"E: Failed to fetch file:/pool/linux-image-5.10.0-46-rt-amd64_5.10.262-1_amd64.deb  404  Not Found [IP: 192.0.2.1 80]": true,
		"E: Failed to fetch file:/x.deb  503  Service Unavailable":                                                             false,
		"E: Version '5.10.404-1' for 'x' was not found":                                                                        false,
	} {
		if got := notFound.MatchString(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

func TestParseTargets(t *testing.T) {
	var got []string
	targets, err := parseTargets("5.10,newest-arm64,6.12-rt,newest-generic-arm64,6.1-cloud-amd64")
	for _, target := range targets {
		got = append(got, target.String())
	}
	if d := cmp.Diff([]string{"5.10-amd64", "newest-arm64", "6.12-rt-amd64", "newest-generic-arm64", "6.1-amd64"}, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for _, name := range got {
		if again, err := parseTarget(name); err != nil || again.String() != name {
			t.Errorf("%s read again: %s, %v", name, again, err)
		}
	}
	if _, err := parseTargets(matrixNames()); err != nil {
		t.Error(err)
	}
	for list, want := range map[string]string{
		"4.4":             `no kernel "4.4": there are 5.10,`,
		"6.1-s390x":       `kernel "6.1-s390x": no flavour or architecture "s390x"`,
		"6.1-rt-s390x":    `kernel "6.1-rt-s390x": no architecture "s390x"`,
		"6.1-arm64-rt":    `no flavour or architecture "arm64"`,
		"6.1-":            `no flavour or architecture ""`,
		"newest,":         `no kernel ""`,
		"6.1 -arm64":      `no kernel "6.1 "`,
		"6.1-rt-amd64-16": `no architecture "amd64-16"`,
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
