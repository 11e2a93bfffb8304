package schema

import (
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/internal/printable"
)

// String returns the place as file:line:col, or file:line, or only the file.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	default:
		return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
	}
}

// An Error is one thing that is wrong with a schema.
type Error struct {
	Pos Pos
	// In names the definition that is wrong, such as "command 'eject'"; it is
	// empty for errors outside of definitions.
	In  string
	Msg string
	// Included are the include directives through which the file was reached,
	// the nearest first.
	Included []Pos
	// Err is the cause, such as an error of the file system; often nil.
	Err error
}

// Error returns the whole message on one line. Characters of a file's name or text that are
// not printable are written as in a Go string literal.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Pos.String())
	b.WriteString(": ")
	if e.In != "" {
		fmt.Fprintf(&b, "in %s: ", e.In)
	}
	b.WriteString(e.Msg)
	for i, pos := range e.Included {
		if i == 0 {
			b.WriteString(" (included from ")
		} else {
			b.WriteString(", from ")
		}
		b.WriteString(pos.String())
	}
	if len(e.Included) > 0 {
		b.WriteByte(')')
	}
	return printable.String(b.String())
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// An ErrorList has all errors that were found in a schema. It holds at most one error
// of each definition, in the order of the schema.
type ErrorList []*Error

// Error returns a text with one line for each error.
func (l ErrorList) Error() string {
	lines := make([]string, len(l))
	for i, e := range l {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the errors one by one, for errors.Is and errors.As.
func (l ErrorList) Unwrap() []error {
	errs := make([]error, len(l))
	for i, e := range l {
		errs[i] = e
	}
	return errs
}
