package qmptest

import (
	"fmt"

	"github.com/goqapi/goqapi/internal/jsondiff"
)

// diff returns where two JSON values differ, a line for each place; nil if nowhere.
func diff(want, got []byte) []string {
	w, err := jsondiff.Parse(want)
	if err != nil {
		return []string{err.Error()}
	}
	g, err := jsondiff.Parse(got)
	if err != nil {
		return []string{err.Error()}
	}
	var lines []string
	for _, d := range jsondiff.Between(w, g, nil) {
		path := d.Path
		if path == "" {
			path = "all"
		}
		lines = append(lines, fmt.Sprintf("%s: want %s, got %s", path, inWords(d.Want), inWords(d.Got)))
	}
	return lines
}

// inWords returns a value as a difference shows it.
func inWords(v any) string { return shortened([]byte(jsondiff.Text(v))) }
