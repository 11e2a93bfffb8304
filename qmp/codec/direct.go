package codec

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// DecodeInto is [Decode] for a result with a function of its own. A program that decodes
// everything with such functions has none of the reflection of the JSON module, 700 KB.
func DecodeInto(ctx context.Context, text []byte, result Into) error {
	return decodeText(ctx, text, false, nil, result)
}

// check returns the error of jsontext about a text that is not one JSON value.
func check(text []byte) error {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), lenient)
	if _, err := dec.ReadValue(); err == io.EOF {
		return &jsontext.SyntacticError{Err: io.ErrUnexpectedEOF}
	} else if err != nil {
		return err
	}
	end := dec.InputOffset()
	switch _, err := dec.ReadValue(); err {
	case io.EOF:
		return nil
	case nil:
		return &jsontext.SyntacticError{ByteOffset: end, Err: errors.New("there is more after the value")}
	default:
		return err
	}
}
