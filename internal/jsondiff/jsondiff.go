// Package jsondiff finds where two JSON values differ.
package jsondiff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Difference is a place where two values differ.
type Difference struct {
	Path      string // such as "a.list[1].b"; "" is the whole value
	Want, Got any    // Absent where one has nothing
}

type absent struct{}

// Absent stands for a value that is not there.
var Absent any = absent{}

// Parse parses JSON for [Between]; numbers keep all their digits.
func Parse(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			err = fmt.Errorf("there is more after the first %d bytes", dec.InputOffset())
		}
	}
	return v, err
}

// Text returns a value that was parsed as compact JSON, or "nothing".
func Text(v any) string {
	if v == Absent {
		return "nothing"
	}
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v) // a json.Number that is not a number
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// Same reports whether two texts are the same JSON value. Their spaces, escapes and the order of
// their members may differ.
func Same(a, b []byte) bool {
	if bytes.Equal(a, b) {
		return true
	}
	x, errX := Parse(a)
	y, errY := Parse(b)
	return errX == nil && errY == nil && Between(x, y, nil) == nil
}

// Between returns where two values that were parsed differ, members in the order of their names.
// It leaves out what accept, if set, returns true for.
func Between(want, got any, accept func(path string, want, got any) bool) []Difference {
	c := comparison{accept: accept}
	c.values("", want, got)
	return c.found
}

type comparison struct {
	accept func(path string, want, got any) bool
	found  []Difference
}

func (c *comparison) values(path string, want, got any) {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			c.objects(path, w, g)
			return
		}
	case []any:
		if g, ok := got.([]any); ok {
			for i := range max(len(w), len(g)) {
				c.values(path+"["+strconv.Itoa(i)+"]", element(w, i), element(g, i))
			}
			return
		}
	default:
		if sameScalar(want, got) {
			return
		}
	}
	if c.accept == nil || !c.accept(path, want, got) {
		c.found = append(c.found, Difference{path, want, got})
	}
}

func (c *comparison) objects(path string, want, got map[string]any) {
	all := maps.Clone(want)
	maps.Copy(all, got)
	if path != "" {
		path += "."
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c.values(path+name, member(want, name), member(got, name))
	}
}

func member(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	return Absent
}

func element(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return Absent
}

// sameScalar compares values of which want is neither an object nor a list.
func sameScalar(want, got any) bool {
	switch got.(type) {
	case map[string]any, []any:
		return false // they cannot be compared with ==
	}
	if want == got {
		return true
	}
	w, ok := want.(json.Number)
	g, also := got.(json.Number)
	if !ok || !also || !strings.ContainsAny(w.String()+g.String(), ".eE") {
		return false // integers have one spelling, and two large ones can be the same float
	}
	x, errX := w.Float64()
	y, errY := g.Float64()
	return errX == nil && errY == nil && x == y
}
