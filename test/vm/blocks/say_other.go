// SPDX-License-Identifier: BSD-2-Clause

//go:build !amd64

package blocks

// The plugin knows amd64's instructions only.
func zero()  {}
func one()   {}
func begin() {}
func end()   {}
