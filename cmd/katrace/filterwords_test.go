// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"katrace/internal/events"
)

// TestFilterWords: what the view says of the filter is what was given.
func TestFilterWords(t *testing.T) {
	for _, line := range []string{
		"", "--port 5432,5433", "--pid 7 --comm shop --port 80", "--local-port 1 --remote-port 2", "--addr 10.0.0.0/8,10.1.1.1,2001:db8::1,2001:db8::/32",
		"--netns 4026531840 --cgroup /system.slice/32 --container 3f2a", "--event probe,reset -4", "-6 --dead --silent",
	} {
		var raw rawStreamFlags
		cmd := &cobra.Command{}
		raw.registerFilter(cmd)
		if err := cmd.ParseFlags(strings.Fields(line)); err != nil {
			t.Fatal(err)
		}
		f, err := raw.validateFilter()
		if err != nil {
			t.Fatal(err)
		}
		if got := filterWords(&f); got != line {
			t.Errorf("got %q, want %q", got, line)
		}
	}
}

// TestFilterWordsAreComplete: no part of a filter goes unsaid.
func TestFilterWordsAreComplete(t *testing.T) {
	var f events.Filter
	var set func(v reflect.Value)
	set = func(v reflect.Value) {
		for i := range v.NumField() {
			field, name := v.Field(i), v.Type().Field(i).Name
			switch field.Kind() {
			case reflect.Struct:
				set(field)
				continue
			case reflect.Bool:
				field.SetBool(true)
			case reflect.Slice:
				field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			default:
				t.Fatalf("%s is a %s: say it in filterWords, and here", name, field.Kind())
			}
			if filterWords(&f) == "" {
				t.Errorf("filterWords does not say %s", name)
			}
			field.SetZero()
		}
	}
	set(reflect.ValueOf(&f).Elem())
}
