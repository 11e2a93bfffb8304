package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/itchyny/gojq"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"
	"github.com/goqapi/goqapi/cmd/qapi/internal/term"
)

// A filter is an expression of jq.
type filter struct{ code *gojq.Code }

// parseFilter compiles an expression; an empty one gives nil.
func parseFilter(expression string) (*filter, error) {
	if expression == "" {
		return nil, nil
	}
	query, err := gojq.Parse(expression)
	if err != nil {
		return nil, exit.Usagef("--jq: %w", err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, exit.Usagef("--jq: %w", err)
	}
	return &filter{code}, nil
}

// run returns the results of the expression for a value: strings as they are, and all other
// values as JSON. An endless expression runs until ctx ends.
func (f *filter) run(ctx context.Context, value json.RawMessage) ([]any, error) {
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber() // integers have 64 bits
	var input any
	if err := dec.Decode(&input); err != nil {
		return nil, fmt.Errorf("--jq: %w", err)
	}
	var out []any
	for results := f.code.RunWithContext(ctx, input); ; {
		v, ok := results.Next()
		if !ok {
			return out, nil
		}
		switch v := v.(type) {
		case error:
			return out, fmt.Errorf("--jq: %w", v)
		case string:
			out = append(out, v)
		default:
			text, err := gojq.Marshal(v)
			if err != nil {
				return out, fmt.Errorf("--jq: %w", err)
			}
			out = append(out, json.RawMessage(text))
		}
	}
}

// printText prints a text: as it is into a pipe, printable on a terminal.
func (a *app) printText(text string) {
	if a.onTerminal() {
		text = term.Escape(text)
	}
	a.write([]byte(text + "\n"))
}
