// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"cmp"
	"slices"

	"katrace/internal/advice"
	"katrace/internal/conn"
)

// maxSettings bounds how many different settings are counted apart.
const maxSettings = 256

// seenSettings are settings that connections had.
type seenSettings struct {
	conn.Settings
	connections uint64
	owners      counts
}

// settingsSeen are all that were seen.
type settingsSeen struct {
	all    map[conn.Settings]*seenSettings
	others *seenSettings
}

func (s *settingsSeen) of(k conn.Settings) *seenSettings {
	if one, ok := s.all[k]; ok {
		return one
	}
	if len(s.all) == maxSettings {
		if s.others == nil {
			s.others = &seenSettings{}
		}
		return s.others
	}
	if s.all == nil {
		s.all = map[conn.Settings]*seenSettings{}
	}
	one := &seenSettings{Settings: k}
	s.all[k] = one
	return one
}

// maxOwners is how many owners of settings are named.
const maxOwners = 3

// list is those of the most connections first. isProgram says which owners are processes.
func (s *settingsSeen) list(isProgram func(owner string) bool) []Settings {
	list := []Settings{}
	for _, one := range s.all {
		made := Settings{Connections: one.connections, Keepalive: keepaliveJSON{one.Settings}}
		var programs []string
		for _, owner := range one.owners.commonest() {
			if len(made.Owners) == maxOwners {
				break
			}
			made.Owners = append(made.Owners, Text(owner))
			if isProgram(owner) && conn.Safe(owner) == owner {
				programs = append(programs, owner)
			}
		}
		made.Advice = advice.Settings(one.Settings, advice.TimerOf(one.Settings), func(flags string) string {
			if len(programs) == 0 {
				return ""
			}
			return advice.ProgramsCommand(programs, flags)
		})
		if from := advice.Sysctls(one.Settings, advice.TimerOf(one.Settings)); from != "" {
			made.Advice = append(made.Advice, advice.Item{Words: from})
		}
		list = append(list, made)
	}
	slices.SortFunc(list, func(a, b Settings) int {
		x, y := a.Keepalive, b.Keepalive
		return cmp.Or(-cmp.Compare(a.Connections, b.Connections), cmp.Compare(x.Idle, y.Idle), cmp.Compare(x.Interval, y.Interval), cmp.Compare(x.Count, y.Count),
			cmp.Compare(x.UserTimeout, y.UserTimeout), cmp.Compare(x.Inherited, y.Inherited), cmp.Compare(x.Unsure, y.Unsure))
	})
	return list
}
