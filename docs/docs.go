// SPDX-License-Identifier: BSD-2-Clause

// Package docs holds what tests check the program against.
package docs

import (
	"bytes"
	"embed"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

//go:embed *.schema.json events.md report.md set.md
var files embed.FS

// The schemas, and the text that explains their keys.
const (
	EventsSchema = "events.schema.json" // one line of the event stream
	ListSchema   = "list.schema.json"   // one line of katrace list -o json
	SetSchema    = "set.schema.json"    // one line of katrace set -o json
	GroupsSchema = "groups.schema.json" // one line of katrace list --by -o json
	ReportSchema = "report.schema.json" // katrace report -o json
	EventsText   = "events.md"
	SetText      = "set.md"
	ReportText   = "report.md"
)

// Text is one of the files.
func Text(name string) ([]byte, error) { return files.ReadFile(name) }

// Schema compiles one of the schemas. What it refers to is found among the others.
func Schema(name string) (*jsonschema.Schema, error) {
	c := jsonschema.NewCompiler()
	for _, file := range []string{EventsSchema, ListSchema, GroupsSchema, ReportSchema, SetSchema} {
		text, err := files.ReadFile(file)
		if err != nil {
			return nil, err
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		if err := c.AddResource(file, doc); err != nil {
			return nil, err
		}
	}
	return c.Compile(name)
}
