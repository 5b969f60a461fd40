// SPDX-License-Identifier: BSD-2-Clause

// Command image writes a container image of katrace, made from nothing: the
// binary and the licences, for each architecture. It is an OCI image layout, and
// the same input makes the same bytes. It is a module of its own, because katrace
// itself needs none of this.
//
//	image -to DIR -version V -revision R -created SECONDS amd64=TREE arm64=TREE
//
// Of each tree the files below usr/ that the image has are taken.
package main

import (
	"archive/tar"
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// files are what the image has of a tree, in this order, with their directories.
var files = []string{
	"usr/bin/katrace",
	"usr/share/doc/katrace/copyright",
	"usr/share/doc/katrace/THIRD_PARTY_LICENSES",
}

type release struct {
	version, revision string
	created           time.Time
}

func main() {
	var r release
	to := flag.String("to", "", "`directory` for the image layout; it must not exist")
	flag.StringVar(&r.version, "version", "", "katrace's version")
	flag.StringVar(&r.revision, "revision", "", "the commit")
	created := flag.Int64("created", 0, "`seconds` since 1970: when the commit was made")
	flag.Parse()
	r.created = time.Unix(*created, 0).UTC()
	if err := r.write(*to, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

// write makes the layout: an index of one image for several platforms.
func (r release) write(to string, trees []string) error {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("%s is there already", to)
	}
	index := v1.ImageIndex(empty.Index)
	for _, arg := range trees {
		arch, tree, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not ARCHITECTURE=TREE", arg)
		}
		image, err := r.image(arch, tree)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	all, ok := mutate.Annotations(index, r.annotations()).(v1.ImageIndex)
	if !ok {
		return fmt.Errorf("no index any more")
	}
	path, err := layout.Write(to, empty.Index)
	if err != nil {
		return err
	}
	name := "localhost/katrace:" + strings.ReplaceAll(r.version, "+", "-") // a tag has no +
	return path.AppendIndex(all, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": name}))
}

// annotations are those of https://github.com/opencontainers/image-spec/blob/main/annotations.md.
func (r release) annotations() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "katrace",
		"org.opencontainers.image.description": "tracer of the kernel's TCP keepalive timer",
		"org.opencontainers.image.licenses":    "BSD-2-Clause",
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.revision":    r.revision,
		"org.opencontainers.image.created":     r.created.Format(time.RFC3339),
	}
}

// image is the image for one architecture.
func (r release) image(arch, tree string) (v1.Image, error) {
	text, err := r.layer(tree)
	if err != nil {
		return nil, err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
		tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(9))
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	created := v1.Time{Time: r.created}
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, MediaType: types.OCILayer, History: v1.History{Created: created, CreatedBy: "scripts/image"}})
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Created = "linux", arch, created
	config.Config.Entrypoint = []string{"/usr/bin/katrace"}
	config.Config.Env = []string{"PATH=/usr/bin"} // for whoever runs `katrace` in it by name
	config.Config.Labels = r.annotations()
	return mutate.ConfigFile(image, config)
}

// layer is the tar archive with the files, all root's and as old as the commit.
func (r release) layer(tree string) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	made := map[string]bool{}
	for _, name := range files {
		parts := strings.Split(filepath.Dir(name), "/")
		for i := range parts {
			dir := strings.Join(parts[:i+1], "/") + "/"
			if made[dir] {
				continue
			}
			made[dir] = true
			if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, ModTime: r.created}); err != nil {
				return nil, err
			}
		}
		text, err := os.ReadFile(filepath.Join(tree, name))
		if err != nil {
			return nil, err
		}
		mode := fs.FileMode(0o644)
		if filepath.Base(filepath.Dir(name)) == "bin" {
			mode = 0o755
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: int64(mode), Size: int64(len(text)), ModTime: r.created}); err != nil {
			return nil, err
		}
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
	err := w.Close()
	return out.Bytes(), err
}
