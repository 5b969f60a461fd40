// SPDX-License-Identifier: BSD-2-Clause

package loader

import (
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// shared is what programs are loaded from. To read the kernel's types takes some
// 20 ms, and the object 15 ms and 13 MB; several attempts and packages need them.
var shared struct {
	mu     sync.Mutex
	types  *btf.Cache
	object *ebpf.CollectionSpec
}

// KernelBTF is the running kernel's BTF, read once for all that is loaded until Forget.
func KernelBTF() *btf.Cache {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.types == nil {
		shared.types = btf.NewCache()
	}
	return shared.types
}

// object is a copy of the embedded object's spec.
func object() (*ebpf.CollectionSpec, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.object == nil {
		spec, err := loadKatrace()
		if err != nil {
			return nil, err
		}
		shared.object = spec
	}
	return shared.object.Copy(), nil
}

// Forget lets go of what is needed for loading only, several MB. What is loaded
// later reads it again.
func Forget() {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.types, shared.object = nil, nil
}
