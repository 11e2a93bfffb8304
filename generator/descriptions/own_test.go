package descriptions

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// targets are the schemas that the project describes, by folder.
var targets = map[string]string{"qmp": qemu.QMP, "qga": qemu.QGA}

func loadOwn(t *testing.T, target string) (Descriptions, *schema.Schema) {
	t.Helper()
	all, err := Load(os.DirFS(target))
	require.NoError(t, err)
	s, err := qemu.Merge(targets[target])
	require.NoError(t, err)
	return all, s.Schema
}

// TestNames fails for a description of something that does not exist.
func TestNames(t *testing.T) {
	for target := range targets {
		all, s := loadOwn(t, target)
		assert.NoError(t, errors.Join(all.Check(s)...), target)
	}
}

// A count says how many things of one kind exist, and how many are described.
type count struct{ described, all int }

func (c *count) add(described bool) {
	c.all++
	if described {
		c.described++
	}
}

// TestCoverage prints how much is described, and fails if something is not. Only of
// members and values of types, half are enough. MISSING=module lists what is not
// described in a module.
func TestCoverage(t *testing.T) {
	for target := range targets {
		all, s := loadOwn(t, target)
		var commands, events, arguments, eventMembers, types, typeMembers count
		for _, def := range s.Definitions() {
			name := def.Def().Name
			list := os.Getenv("MISSING") != "" && (os.Getenv("MISSING") == "all" || strings.HasSuffix(def.Def().Module.Path, "/"+os.Getenv("MISSING")+".json"))
			d := all[name]
			whole, parts := &types, &typeMembers
			switch def.(type) {
			case *schema.Command:
				whole, parts = &commands, &arguments
			case *schema.Event:
				whole, parts = &events, &eventMembers
			}
			whole.add(d != nil && d.Text != "")
			if list && (d == nil || d.Text == "") {
				t.Logf("missing: %s %s", def.Kind(), name)
			}
			for _, part := range schema.Parts(def) {
				described := d != nil && d.Members[part] != ""
				parts.add(described)
				if list && !described {
					t.Logf("missing: %s %s: %s", def.Kind(), name, part)
				}
			}
		}
		for _, row := range []struct {
			what string
			count
			least int // in percent
		}{
			{"commands", commands, 100},
			{"their arguments", arguments, 100},
			{"events", events, 100},
			{"their members", eventMembers, 100},
			{"types", types, 100},
			{"their members and values", typeMembers, 50},
		} {
			if row.all == 0 {
				continue // the agent has no events
			}
			percent := 100 * row.described / row.all
			t.Logf("%s %-25s %4d of %4d, %3d %%", target, row.what, row.described, row.all, percent)
			assert.GreaterOrEqual(t, percent, row.least, "%s %s", target, row.what)
		}
	}
}

// TestNamedArguments checks commands and events whose arguments or data are a named
// type: the type describes all of them, including those of a union's variants.
func TestNamedArguments(t *testing.T) {
	for target := range targets {
		all, s := loadOwn(t, target)
		for _, def := range s.Definitions() {
			for from := schema.Inherited(def); from != nil && isCall(def); from = schema.Inherited(from) {
				checkDescribed(t, all, from)
				union, ok := from.(*schema.Union)
				if !ok {
					continue
				}
				for _, branch := range union.Branches {
					if st, ok := branch.Type.(*schema.Struct); ok && !st.Implicit {
						checkDescribed(t, all, st)
					}
				}
			}
		}
	}
}

func isCall(def schema.Definition) bool {
	switch def.(type) {
	case *schema.Command, *schema.Event:
		return true
	}
	return false
}

func checkDescribed(t *testing.T, all Descriptions, def schema.Definition) {
	t.Helper()
	for _, part := range schema.Parts(def) {
		assert.NotEmpty(t, all.Member(def, part), "%s %s: %s", def.Kind(), def.Def().Name, part)
	}
}

// run is the number of words in a row that must not be the same as QEMU's.
const run = 8

var word = regexp.MustCompile(`[a-z0-9]+`)

// shingles are the runs of words of a text.
func shingles(text string) []string {
	words := word.FindAllString(strings.ToLower(text), -1)
	var all []string
	for i := 0; i+run <= len(words); i++ {
		all = append(all, strings.Join(words[i:i+run], " "))
	}
	return all
}

// TestOwnWords fails for a description that shares a run of words with QEMU's
// own documentation.
func TestOwnWords(t *testing.T) {
	theirs := map[string]bool{}
	had := slices.DeleteFunc(qemu.Releases(), func(release string) bool { return release == "11.1" }) // QEMU's text for it is not available
	for _, release := range short.Ends(had) {
		dir := corpus.Path(t, "schema", release)
		for _, root := range targets {
			s, err := schema.Load(os.DirFS(dir), root, schema.KeepDocs())
			require.NoError(t, err)
			for _, def := range s.Definitions() {
				doc := def.Def().Doc
				if doc == nil {
					continue
				}
				texts := []string{doc.Body}
				for _, text := range doc.Members {
					texts = append(texts, text)
				}
				for _, section := range doc.Sections {
					texts = append(texts, section.Text)
				}
				for _, text := range texts {
					for _, s := range shingles(text) {
						theirs[s] = true
					}
				}
			}
		}
	}
	for target := range targets {
		all, _ := loadOwn(t, target)
		for name, d := range all {
			texts := []string{d.Text}
			for _, text := range d.Members {
				texts = append(texts, text)
			}
			sort.Strings(texts)
			for _, text := range texts {
				for _, s := range shingles(text) {
					assert.False(t, theirs[s], "%s:%d: '%s' has QEMU's words: %s", d.At.File, d.At.Line, name, s)
				}
			}
		}
	}
}
