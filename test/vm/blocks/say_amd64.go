// SPDX-License-Identifier: BSD-2-Clause

package blocks

// Each is one instruction that does nothing but for the plugin (say_amd64.s).
func zero()
func one()
func begin()
func end()
