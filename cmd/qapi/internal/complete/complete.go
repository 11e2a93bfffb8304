// Package complete finds the words that can come next on a line with a command: names of
// commands and arguments, members of objects for the tags on the line, values, and names that
// only a server knows. The lines are those of qapi call and qapi shell.
package complete

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
)

// An Interface has the commands that can be on a line: that of a release, which is a
// *schema.Schema, or that of a server.
type Interface interface {
	Lookup(name string) schema.Definition
	Commands() []*schema.Command
	Events() []*schema.Event
}

// Live returns names that only a server knows.
type Live interface {
	// Names returns the names of a kind; of is what they belong to, see [Kind]. It returns at
	// the latest when ctx ends, and nil if it does not know the names.
	Names(ctx context.Context, kind Kind, of string) []string
}

// A Candidate is a word that can replace the word that is being typed.
type Candidate struct {
	Word string // the whole word
	Show string // shown in a list of candidates: only the name or value, without the text before it
	Help string // a few words about it; may be empty
	Open bool   // the word continues: no space comes after it

	rank int // the order in which candidates are listed
}

// An Engine completes lines.
type Engine struct {
	Interface Interface
	// Types has the types of devices' properties; a server's own interface has no names of
	// types. nil: they are in Interface.
	Types Interface
	// Devices returns what is known about devices; several lists count as one. nil: nothing is
	// known.
	Devices func() []*devices.List
	Live    Live                         // nil: there is no server
	Files   func(prefix string) []string // returns the files whose path starts with a text; folders end in "/". nil: no files

	once     sync.Once
	commands []string

	mu     sync.Mutex
	driver string // the device types whose properties are known
	props  []member
}

// Complete returns the words that can replace last, the word that is being typed. words are the
// other words of the line, the command first.
func (e *Engine) Complete(ctx context.Context, words []string, last string) []Candidate {
	if len(words) == 0 {
		return e.CommandNames(last)
	}
	command, ok := e.Interface.Lookup(words[0]).(*schema.Command)
	if !ok {
		return nil
	}
	l := newLine(ctx, e, command, words[1:])
	if l.whole {
		return nil
	}
	var found []Candidate
	if key, value, ok := strings.Cut(last, "="); ok {
		found = l.values(key, value)
	} else {
		found = l.keys(last)
	}
	return ordered(found)
}

// CommandNames returns the commands whose names start with a text.
func (e *Engine) CommandNames(prefix string) []Candidate {
	e.once.Do(func() {
		for _, c := range e.Interface.Commands() {
			e.commands = append(e.commands, c.Name)
		}
	})
	var found []Candidate
	for _, name := range e.commands {
		if strings.HasPrefix(name, prefix) {
			found = append(found, Candidate{Word: name, Show: name, rank: rankOf(name, false)})
		}
	}
	return ordered(found)
}

// EventNames returns the events whose names start with a text.
func (e *Engine) EventNames(prefix string) []Candidate {
	var found []Candidate
	for _, event := range e.Interface.Events() {
		if strings.HasPrefix(event.Name, prefix) {
			found = append(found, Candidate{Word: event.Name, Show: event.Name})
		}
	}
	return ordered(found)
}

// DefinitionNames returns the commands, events and types of a schema, and the devices, whose names
// start with a text.
func (e *Engine) DefinitionNames(s *schema.Schema, prefix string) []Candidate {
	var found []Candidate
	add := func(name, kind string) {
		if strings.HasPrefix(name, prefix) {
			found = append(found, Candidate{Word: name, Show: name, Help: kind})
		}
	}
	for _, def := range s.Definitions() {
		add(def.Def().Name, def.Kind())
	}
	for _, list := range e.lists() {
		for _, t := range list.Types {
			if t.User() {
				add(t.Name, "device")
			}
		}
	}
	return ordered(found)
}

// Paths returns the files whose path starts with a text, after what is before the path in the word.
// It does not wait longer than ctx for a file system that does not answer.
func (e *Engine) Paths(ctx context.Context, before, prefix string) []Candidate {
	if e.Files == nil {
		return nil
	}
	listed := make(chan []string, 1)
	go func() { listed <- e.Files(prefix) }()
	var found []Candidate
	select {
	case <-ctx.Done():
	case paths := <-listed:
		for _, path := range paths {
			found = append(found, pathCandidate(before, path))
		}
	}
	return ordered(found)
}

// pathCandidate returns the candidate for a path; one that ends in "/" can be continued.
func pathCandidate(before, path string) Candidate {
	show := strings.TrimSuffix(path, "/")
	show = path[strings.LastIndexByte(show, '/')+1:]
	return Candidate{Word: before + path, Show: show, Open: strings.HasSuffix(path, "/")}
}

// ordered sorts candidates: what a command requires first, what is experimental last.
func ordered(found []Candidate) []Candidate {
	slices.SortStableFunc(found, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), strings.Compare(a.Word, b.Word))
	})
	return slices.CompactFunc(found, func(a, b Candidate) bool { return a.Word == b.Word })
}

func rankOf(name string, required bool) int {
	switch {
	case required:
		return 0
	case strings.HasPrefix(name, "x-"):
		return 2
	}
	return 1
}

// Conditions returns the words that can replace a condition EVENT[:MEMBER=VALUE].
func (e *Engine) Conditions(typed string) []Candidate {
	name, condition, ok := strings.Cut(typed, ":")
	if !ok {
		return e.EventNames(typed)
	}
	event, ok := e.Interface.Lookup(name).(*schema.Event)
	if !ok {
		return nil
	}
	l := newLine(context.Background(), &Engine{Interface: e.Interface}, &schema.Command{Args: event.Data, Gen: true}, nil)
	var found []Candidate
	if key, value, ok := strings.Cut(condition, "="); ok {
		found = l.values(key, value)
	} else {
		found = l.keys(condition)
	}
	for i := range found {
		found[i].Word = name + ":" + found[i].Word
	}
	return ordered(found)
}
