// SPDX-License-Identifier: BSD-2-Clause

package main

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"katrace/internal/loader"
)

// flagSpec is a flag: --help, the man page and the shells' completion are made
// from it.
type flagSpec struct {
	name  string
	short string // one letter; "": none
	// to is where the value goes: *string, *bool, *int from 1 on,
	// *time.Duration above 0, a valueOf, a choice or a listOf. What is there is the default.
	to     any
	help   string
	values []string             // to complete; nil: nothing is offered
	offer  cobra.CompletionFunc // in place of values
	alone  string               // the value where the flag stands alone, "": it has to have one
}

// The groups of flags in --help.
const (
	groupTrace    = "What to trace"
	groupList     = "What to list"
	groupShow     = "What to show"
	groupSettings = "What to predict"
	groupSockets  = "Which sockets"
	groupChange   = "What to set"
	groupApply    = "How to set it"
	groupAttach   = "How to attach"
	groupOutput   = "Output"
	groupMetrics  = "Metrics"
	groupLimits   = "Limits"
	groupOther    = "Other flags"
)

// groupKey is the annotation of a flag that names its group.
const groupKey = "katrace_group"

// addFlags adds flags to the command, as one group or as a part of it.
func addFlags(cmd *cobra.Command, group string, specs ...flagSpec) {
	f := cmd.Flags()
	f.SortFlags = false
	for _, s := range specs {
		switch to := s.to.(type) {
		case *string:
			f.StringVarP(to, s.name, s.short, *to, s.help)
		case *bool:
			f.BoolVarP(to, s.name, s.short, *to, s.help)
		case *int:
			f.VarP(&value[int]{to: to, parse: parseAmount, kind: "number"}, s.name, s.short, s.help)
		case *time.Duration:
			f.VarP(&value[time.Duration]{to: to, parse: parseSpan, kind: "duration"}, s.name, s.short, s.help)
		case pflag.Value:
			f.VarP(to, s.name, s.short, s.help)
		default:
			panic(fmt.Sprintf("--%s: a flag cannot be a %T", s.name, s.to))
		}
		flag := f.Lookup(s.name)
		flag.NoOptDefVal = cmp.Or(s.alone, flag.NoOptDefVal)
		flag.Annotations = map[string][]string{groupKey: {group}}
		switch {
		case s.offer != nil:
			completeBy(cmd, s.name, s.offer)
		case s.values != nil:
			complete(cmd, s.name, s.values...)
		}
	}
}

// The flags that several commands have.

func outputFlag[T ~string](to *T, more string, words ...string) flagSpec {
	return flagSpec{name: "output", short: "o", to: choice(to, words), help: anyOf(words) + more, values: words}
}

const outputDefault = " (default: tui on a terminal, else text)"

func noColorFlag(to *bool) flagSpec {
	return flagSpec{name: "no-color", to: to, help: "no colours in the live view; so does NO_COLOR in the environment"}
}

func attachFlag(to *loader.Backend) flagSpec {
	words := []string{string(loader.Auto)}
	for _, b := range loader.Backends() {
		words = append(words, string(b))
	}
	return flagSpec{name: "attach", to: choice(to, words), help: "how to attach: " + anyOf(words), values: words}
}

func btfFlag(to *string) flagSpec {
	return flagSpec{name: "btf", to: to, help: "file with this kernel's BTF, where the kernel has none itself", offer: files}
}

// groupedFlags is what --help says of the command's own flags, by groups.
func groupedFlags(cmd *cobra.Command) string {
	groups := map[string]*pflag.FlagSet{}
	var order []string
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		group := groupOther
		if g := f.Annotations[groupKey]; len(g) > 0 {
			group = g[0]
		}
		if groups[group] == nil {
			groups[group] = pflag.NewFlagSet(group, pflag.ContinueOnError)
			groups[group].SortFlags = false
			if group != groupOther {
				order = append(order, group)
			}
		}
		groups[group].AddFlag(f)
	})
	if groups[groupOther] != nil {
		order = append(order, groupOther)
	}
	var b strings.Builder
	for i, group := range order {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(group + ":\n" + groups[group].FlagUsages())
	}
	return b.String()
}

// groupHelp makes cobra's help show the groups.
func groupHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("groupedFlags", groupedFlags)
	root.SetUsageTemplate(strings.Replace(root.UsageTemplate(), "Flags:\n{{.LocalFlags.FlagUsages", "{{groupedFlags .", 1))
}

// value is a value of any kind as a flag's.
type value[T any] struct {
	to    *T
	parse func(string) (T, error)
	kind  string // in --help; "": string
	word  string // as it was given
}

func valueOf[T any](to *T, parse func(string) (T, error)) *value[T] {
	return &value[T]{to: to, parse: parse}
}

func (v *value[T]) Set(in string) (err error) {
	if *v.to, err = v.parse(in); err == nil {
		v.word = in
	}
	return err
}

func (v *value[T]) Type() string   { return cmp.Or(v.kind, "string") }
func (v *value[T]) String() string { return v.word }

// choice is one of a few words; the default is among them.
func choice[T ~string](to *T, words []string) *value[T] {
	return &value[T]{to: to, word: string(*to), parse: func(in string) (T, error) {
		if !slices.Contains(words, in) {
			return *to, errors.New("want " + anyOf(words))
		}
		return T(in), nil
	}}
}

// list is values of one kind as a flag's value: words with commas between them,
// or the flag again.
type list[T any] struct {
	to    *[]T
	parse func(string) (T, error)
	words []string
}

func listOf[T any](to *[]T, parse func(string) (T, error)) *list[T] {
	return &list[T]{to: to, parse: parse}
}

// wordError is what is wrong with one word of a list.
type wordError struct {
	word string
	error
}

func (l *list[T]) Set(in string) error {
	words, err := csv.NewReader(strings.NewReader(in)).Read() // so that a comma can be quoted
	if err != nil {
		return errors.New("want a value") // of "$PORT", say, which is not set
	}
	for _, word := range words {
		v, err := l.parse(word)
		if err != nil {
			return wordError{word, err}
		}
		*l.to, l.words = append(*l.to, v), append(l.words, word)
	}
	return nil
}

func (l *list[T]) Type() string    { return "strings" }
func (l *list[T]) String() string  { return strings.Join(l.words, ",") }
func (l *list[T]) given() []string { return l.words }

// lister is a list of whatever type.
type lister interface{ given() []string }

// anyOf is "tui, text or json".
func anyOf(words []string) string {
	var b strings.Builder
	for i, word := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(word)
	}
	return b.String()
}

func parseSpan(in string) (time.Duration, error) {
	d, err := parseTime(in)
	if err != nil || d <= 0 {
		return 0, errors.New("want a time above 0, such as 30s or 5m (a bare number is seconds)")
	}
	return d, nil
}

func parseAmount(in string) (int, error) {
	n, err := strconv.ParseUint(in, 10, 63)
	if err != nil || n == 0 {
		return 0, errors.New("want a whole number, 1 or more")
	}
	return int(n), nil
}

// flagError says what is wrong with a flag in our words: what was given, what is
// wanted, and for a name that is none the one that may be meant.
func flagError(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	var name *pflag.NotExistError
	switch {
	case errors.As(err, &value):
		flag, given, want := value.GetFlag(), value.GetValue(), value.Unwrap()
		var word wordError
		if errors.As(want, &word) {
			given, want = word.word, word.error
		}
		if flag.Value.Type() == "bool" {
			want = errors.New("want true or false")
		}
		return usagef("--%s %q: %w", flag.Name, given, want)
	case errors.As(err, &name) && name.GetSpecifiedShortnames() == "":
		return usagef("%w%s", err, didYouMean(meantFlags(cmd, name.GetSpecifiedName())))
	}
	return usageError{err}
}

// meantFlags are the command's flags that are alike.
func meantFlags(cmd *cobra.Command, typed string) (flags []string) {
	all := &cobra.Command{SuggestionsMinimumDistance: 2}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		all.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	for _, name := range all.SuggestionsFor(typed) {
		flags = append(flags, "--"+name)
	}
	return flags
}

// didYouMean is " (did you mean --port?)", or nothing.
func didYouMean(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " (did you mean " + strings.Join(names, " or ") + "?)"
}
