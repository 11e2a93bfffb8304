package shell

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/wirejson"
)

// oneLine returns JSON in one line, with a blank after commas and colons if it is for people.
func oneLine(value jsontext.Value, people bool) string {
	v := value.Clone()
	if v.Format(wirejson.Lenient(), jsontext.SpaceAfterComma(people), jsontext.SpaceAfterColon(people)) != nil {
		return printable.String(string(value))
	}
	return string(term.JSON(v))
}

// forPeople returns a result for a terminal of a width: the lines of a text, JSON in one line if it
// fits, or indented JSON.
func forPeople(value jsontext.Value, width int) string {
	if text, ok := linesOf(value); ok {
		return text
	}
	if line := oneLine(value, true); term.Width(line) <= width {
		return line
	}
	v := value.Clone()
	if v.Indent(wirejson.Lenient(), jsontext.WithIndent("  ")) != nil {
		return printable.String(string(value))
	}
	return string(term.JSON(v))
}

// linesOf returns the lines of a text with several lines, such as the output of the human monitor.
func linesOf(value jsontext.Value) (string, bool) {
	if value.Kind() != '"' {
		return "", false
	}
	var s string
	if json.Unmarshal(value, &s, wirejson.Lenient()) != nil || !strings.Contains(s, "\n") {
		return "", false
	}
	var lines []string
	for line := range strings.Lines(s) {
		line = strings.ReplaceAll(strings.TrimRight(line, "\r\n"), "\t", "    ")
		lines = append(lines, printable.String(line))
	}
	return strings.Join(lines, "\n"), true
}

// columns lays words out in columns, down first, on a terminal of a width, and at most so many rows of
// them; a last row says how many more there are.
func columns(words []string, width, rows int) string {
	longest := 0
	for i, w := range words {
		words[i] = printable.String(w)
		longest = max(longest, term.Width(words[i]))
	}
	const gap = 2
	across := max(1, (width+gap)/(longest+gap))
	down := (len(words) + across - 1) / across
	var b strings.Builder
	for row := range min(down, rows) {
		line := ""
		for i := row; i < len(words); i += down {
			line += term.Pad(words[i], longest+gap)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	if down > rows {
		left := 0
		for i := range words {
			if i%down >= rows {
				left++
			}
		}
		fmt.Fprintf(&b, "… and %d more\n", left)
	}
	return b.String()
}
