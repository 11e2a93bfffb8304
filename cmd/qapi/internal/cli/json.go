package cli

import (
	"bytes"
	"encoding/json"

	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
)

// width is how wide a line of JSON may be on a terminal before it is broken into several.
const width = 80

// printJSON prints JSON: indented if it is for a person and long, otherwise as one line.
func (a *app) printJSON(text []byte) {
	var out bytes.Buffer
	text = term.JSON(text)
	if err := json.Compact(&out, text); err != nil {
		out.Write(text)
	}
	if a.onTerminal() && out.Len() > width {
		out.Reset()
		_ = json.Indent(&out, text, "", "  ") // it was valid
	}
	out.WriteByte('\n')
	a.write(out.Bytes())
}

// onTerminal reports whether standard output is a terminal.
func (a *app) onTerminal() bool { return term.New(a.out, a.env).IsTerminal() }
