package wire

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/wirejson"
)

// EventError returns the error of decoding the data of an event; nil if err is nil.
func EventError(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("qmp: event %s: %w", printable.String(name), JSONError(err))
}

// JSONError returns err, an error of the JSON library, with a text for people: it names
// the member and what is wrong with it.
func JSONError(err error) error {
	var at jsontext.Pointer
	var text string
	semantic, _ := errors.AsType[*json.SemanticError](err)
	syntactic, _ := errors.AsType[*jsontext.SyntacticError](err)
	if semantic != nil {
		at = semantic.JSONPointer
	} else if syntactic != nil {
		at = syntactic.JSONPointer
	}
	switch {
	case syntactic != nil && syntactic.Err != nil:
		text = "not JSON: " + syntactic.Err.Error()
	case semantic == nil:
	case semantic.Err != nil:
		text = semantic.Err.Error()
	case semantic.GoType != nil && semantic.JSONKind != 0:
		text = fmt.Sprintf("%s does not fit the Go type %s", wirejson.KindName(semantic.JSONKind), semantic.GoType)
	case semantic.GoType != nil:
		text = fmt.Sprintf("the Go type %s cannot be encoded or decoded as JSON", semantic.GoType)
	}
	if semantic != nil && 0 < len(semantic.JSONValue) && len(semantic.JSONValue) < 100 {
		text += ": " + string(semantic.JSONValue)
	}
	if text == "" {
		text = err.Error()
	}
	if at != "" {
		text = fmt.Sprintf("member %s: %s", at, text)
	}
	return &textError{printable.String(text), err}
}

// textError is an error with another text.
type textError struct {
	text string
	err  error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.err }
