package qmp

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qmp/codec"
	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// decode reads JSON as servers print it, until ctx ends. The memory that it may use is in
// proportion to text.
func decode(ctx context.Context, text []byte, result any) error {
	return decoded(ctx, codec.Decode(ctx, text, result))
}

// decodeInto is decode for a result that needs no reflection.
func decodeInto(ctx context.Context, text []byte, result codec.Into) error {
	return decoded(ctx, codec.DecodeInto(ctx, text, result))
}

// decoded returns the error of decoding, or why ctx ended, if that is the reason.
func decoded(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return contextError(ctx)
	}
	return err
}

// A decodeFunc decodes an answer into its place.
type decodeFunc func(ctx context.Context, text []byte) error

// reflected decodes into the value that result points to; it is nil if result is nil.
func reflected(result any) decodeFunc {
	if result == nil {
		return nil
	}
	return func(ctx context.Context, text []byte) error { return decode(ctx, text, result) }
}

// skip reads an answer that nobody wants to have.
func skip(ctx context.Context, text []byte) error {
	return decodeInto(ctx, text, (*codec.Decoder).Unknown)
}

// store decodes a call's answer, and drops it if decode is nil. For some replies only
// the beginning and the end of the line were read (see wire.Message). If the answer in such
// a line is not one JSON value, store scans the whole line. Then either the reply has more
// members than expected, and scanning finds the answer; or the line is damaged.
func (s *session) store(ctx context.Context, c *call, decode decodeFunc) error {
	if decode == nil {
		if string(c.answer) == "{}" {
			return nil
		}
		decode = skip
	}
	err := decode(ctx, c.answer)
	if _, damaged := errors.AsType[*jsontext.SyntacticError](err); damaged && c.line != nil {
		m := wire.Message{Text: c.line}
		if !m.Scan() {
			err = fmt.Errorf("qmp: %s: reply: %w", c.command, wire.JSONError(err))
			s.damaged(err)
			return err
		}
		if id := m.Members[wire.ID]; id != nil && ownNumber(id) != c.number {
			return fmt.Errorf("qmp: %s: %w", c.command, s.contradicted(c, id))
		}
		c.answer, c.line = m.Members[wire.Return], nil
		return s.store(ctx, c, decode)
	}
	if err != nil {
		return fmt.Errorf("qmp: %s: reply: %w", c.command, wire.JSONError(err))
	}
	return nil
}
