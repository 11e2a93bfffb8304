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
	err := codec.Decode(ctx, text, result)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return contextError(ctx)
	}
	return err
}

// store decodes a call's answer into result, unless result is nil. For some replies only
// the beginning and the end of the line were read (see wire.Message). If the answer in such
// a line is not one JSON value, store scans the whole line. Then either the reply has more
// members than expected, and scanning finds the answer; or the line is damaged.
func (s *session) store(ctx context.Context, c *call, result any) error {
	if result == nil {
		if string(c.answer) == "{}" {
			return nil
		}
		result = codec.Into(func(d *codec.Decoder) { d.Skip() })
	}
	err := decode(ctx, c.answer, result)
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
		return s.store(ctx, c, result)
	}
	if err != nil {
		return fmt.Errorf("qmp: %s: reply: %w", c.command, wire.JSONError(err))
	}
	return nil
}
