package qmptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// diff tells where two JSON values differ, a line for each place; nil if nowhere.
func diff(want, got []byte) []string {
	w, err := decoded(want)
	if err != nil {
		return []string{err.Error()}
	}
	g, err := decoded(got)
	if err != nil {
		return []string{err.Error()}
	}
	return differ(nil, "", w, g)
}

// absent stands for a value that is not there.
type absent struct{}

func differ(lines []string, path string, want, got any) []string {
	switch w := want.(type) {
	case map[string]any:
		if g, ok := got.(map[string]any); ok {
			return differMembers(lines, path, w, g)
		}
	case []any:
		if g, ok := got.([]any); ok {
			return differElements(lines, path, w, g)
		}
	default:
		if sameScalar(want, got) {
			return lines
		}
	}
	if path == "" {
		path = "all"
	}
	return append(lines, fmt.Sprintf("%s: want %s, got %s", path, inWords(want), inWords(got)))
}

func differMembers(lines []string, path string, want, got map[string]any) []string {
	names := maps.Clone(want)
	maps.Copy(names, got)
	if path != "" {
		path += "."
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		lines = differ(lines, path+name, member(want, name), member(got, name))
	}
	return lines
}

func member(object map[string]any, name string) any {
	if v, ok := object[name]; ok {
		return v
	}
	return absent{}
}

func differElements(lines []string, path string, want, got []any) []string {
	at := func(list []any, i int) any {
		if i < len(list) {
			return list[i]
		}
		return absent{}
	}
	for i := range max(len(want), len(got)) {
		lines = differ(lines, path+"["+strconv.Itoa(i)+"]", at(want, i), at(got, i))
	}
	return lines
}

// sameScalar compares values of which want is neither an object nor a list.
func sameScalar(want, got any) bool {
	switch got.(type) {
	case map[string]any, []any:
		return false
	}
	if want == got {
		return true
	}
	w, isNumber := want.(json.Number)
	g, both := got.(json.Number)
	return isNumber && both && sameNumber(w.String(), g.String())
}

// sameNumber compares numbers of different spelling: integers by their digits, since
// two large ones can be the same float.
func sameNumber(a, b string) bool {
	if _, err := strconv.ParseInt(a, 10, 64); err == nil {
		if _, err := strconv.ParseInt(b, 10, 64); err == nil {
			return false // they would be spelled alike
		}
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x == y
}

// inWords is a value as a difference shows it.
func inWords(v any) string {
	if v == (any)(absent{}) {
		return "nothing"
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return shortened(bytes.TrimSpace(text.Bytes()))
}

// decoded parses JSON without losing a digit.
func decoded(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}
