// SPDX-License-Identifier: BSD-2-Clause

// Package docs holds what tests check the program against.
package docs

import _ "embed"

// EventsSchema is the JSON Schema of one line of the event stream.
//
//go:embed events.schema.json
var EventsSchema []byte
