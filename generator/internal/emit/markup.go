package emit

import (
	"regexp"
	"strings"
)

// markup formats QEMU's documentation, which is reStructuredText or older, as
// a Go comment: paragraphs, lists, and examples as indented text.
func markup(text string) []string {
	m := &marker{margin: -1}
	for _, line := range strings.Split(text, "\n") {
		m.line(strings.TrimRight(plain(line), " "))
	}
	return tidy(m.out)
}

// A marker turns lines into a comment.
type marker struct {
	out    []string
	code   bool // indented lines are an example
	margin int  // of the example, -1 before its first line
}

func (m *marker) line(line string) {
	indent := len(line) - len(strings.TrimLeft(line, " "))
	switch {
	case line == "":
		m.add("")
	case directive.MatchString(line):
		parts := directive.FindStringSubmatch(line)
		m.begin(parts[1] == "qmp-example" || parts[1] == "code-block")
		m.add(directiveTitle(parts[1], parts[2]))
	case option.MatchString(line):
		if parts := option.FindStringSubmatch(line); parts[1] == "title" {
			m.add(parts[2] + ":")
		}
	case exchange.MatchString(line):
		if !m.code {
			m.begin(true)
		}
		m.example(line, indent)
	case m.code && indent > 0:
		m.example(line, indent)
	case bullet.MatchString(line):
		m.begin(false)
		m.add("  " + bullet.ReplaceAllString(line, "- "))
	case indent > 0 && len(m.out) > 0 && strings.HasPrefix(m.out[len(m.out)-1], "//   "):
		m.add("    " + line[indent:]) // the item of a list continues
	default:
		literal := strings.HasSuffix(line, "::")
		m.begin(literal)
		switch {
		case line[indent:] == "::": // the line only announces an example
			line = line[:indent]
		case literal:
			line = strings.TrimSuffix(line, ":")
		}
		m.add(line[indent:])
	}
}

func (m *marker) add(line string) {
	m.out = append(m.out, strings.TrimRight("// "+line, " "))
}

// begin begins an example, or other text.
func (m *marker) begin(code bool) { m.code, m.margin = code, -1 }

// example adds a line of an example, without the indentation of the whole example.
func (m *marker) example(line string, indent int) {
	if m.margin < 0 {
		m.margin = indent
	}
	m.out = append(m.out, "//\t"+line[min(indent, m.margin):])
}

var (
	directive = regexp.MustCompile(`^\s*\.\. ([a-z-]+)::\s*(.*)$`)
	option    = regexp.MustCompile(`^\s+:([a-z-]+):\s*(.*)$`)
	bullet    = regexp.MustCompile(`^\s*([-*]|#\.|\d+\.) +`)
	exchange  = regexp.MustCompile(`^\s*(->|<-|\{ ?"|\.\.\. )`)
)

// directiveTitle returns the text that replaces a directive of reStructuredText.
func directiveTitle(name, rest string) string {
	switch name {
	case "qmp-example", "code-block":
		return "Example:"
	case "note", "caution", "warning", "admonition":
		return strings.TrimSpace(strings.ToUpper(name[:1]) + name[1:] + ": " + rest)
	}
	return rest
}

// tidy removes empty lines at the beginning, at the end and after another empty line,
// puts one before and after examples, and adds a full stop to lines that gofmt would
// format as headings.
func tidy(lines []string) []string {
	var out []string
	for i, line := range lines {
		lone := (i == 0 || lines[i-1] == "//") && (i == len(lines)-1 || lines[i+1] == "//")
		if lone && sentence.MatchString(line) {
			line += "."
		}
		if len(out) > 0 && line != "//" && out[len(out)-1] != "//" && isCode(line) != isCode(out[len(out)-1]) {
			out = append(out, "//")
		}
		if line == "//" && (len(out) == 0 || out[len(out)-1] == "//") {
			continue
		}
		out = append(out, noConstraint(line))
	}
	for len(out) > 0 && out[len(out)-1] == "//" {
		out = out[:len(out)-1]
	}
	return out
}

// sentence matches a line of prose without a full stop.
var sentence = regexp.MustCompile(`^// \w.*[\w)'"` + "`" + `]$`)

func isCode(line string) bool { return strings.HasPrefix(line, "//\t") }
