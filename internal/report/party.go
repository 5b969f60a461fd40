// SPDX-License-Identifier: BSD-2-Clause

package report

import (
	"cmp"
	"slices"
)

// maxParties bounds the peers and the owners, each: 150 bytes each.
const maxParties = 1 << 16

// othersName is that of all beyond the bound.
const othersName = "others"

// party is a peer or an owner.
type party struct {
	Party
	program bool  // an owner: it is the name of a process
	lane    *lane // nil: nothing has happened to it, or there are too many
}

// parties are those of one kind, at most maxParties; the rest are "others".
type parties[K comparable] struct {
	named  map[K]*party
	others *party
}

func (p *parties[K]) of(key K, name func() string) *party {
	if one, ok := p.named[key]; ok {
		return one
	}
	if len(p.named) == maxParties {
		if p.others == nil {
			p.others = &party{Party: Party{Name: othersName}}
		}
		return p.others
	}
	if p.named == nil {
		p.named = map[K]*party{}
	}
	one := &party{Party: Party{Name: Text(name())}}
	p.named[key] = one
	return one
}

// inTrouble are those to whose connections something happened, worst first.
func (p *parties[K]) inTrouble() (list []*party) {
	add := func(one *party) {
		if one != nil && one.Died+one.Silences > 0 {
			list = append(list, one)
		}
	}
	for _, one := range p.named {
		add(one)
	}
	add(p.others)
	slices.SortFunc(list, func(a, b *party) int {
		return cmp.Or(-cmp.Compare(a.Died, b.Died), -cmp.Compare(a.Silences, b.Silences), -cmp.Compare(a.Connections, b.Connections), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// counts counts words, at most so many different ones.
type counts struct {
	n map[string]uint64
}

const maxCounts = 64

func (c *counts) add(word string) {
	if c.n == nil {
		c.n = map[string]uint64{}
	}
	if _, ok := c.n[word]; !ok && len(c.n) >= maxCounts {
		word = othersName
	}
	c.n[word]++
}

// move is for one that was counted under another word.
func (c *counts) move(from, to string) {
	if c.n[from] == 0 {
		from = othersName // it was beyond the bound
	}
	if c.n[from]--; c.n[from] == 0 {
		delete(c.n, from)
	}
	c.add(to)
}

// commonest are the words, the commonest first.
func (c *counts) commonest() []string {
	var words []string
	for w := range c.n {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(-cmp.Compare(c.n[a], c.n[b]), cmp.Compare(a, b)) })
	return words
}
