package qmp

import (
	"context"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qmp/codec"
)

// decode reads JSON as servers print it, in memory that text limits, until ctx ends.
func decode(ctx context.Context, text []byte, result any) error {
	err := codec.Decode(ctx, text, result)
	if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return contextError(ctx)
	}
	return err
}

// decodeReply stores a return member in result; nil: nowhere.
func (l *link) decodeReply(ctx context.Context, command string, answer []byte, result any) error {
	if result == nil {
		if string(answer) == "{}" {
			return nil
		}
		result = codec.Into(codec.Skip)
	}
	err := decode(ctx, answer, result)
	if err == nil {
		return nil
	}
	_, damaged := errors.AsType[*jsontext.SyntacticError](err)
	err = fmt.Errorf("qmp: %s: reply: %w", command, jsonError(err))
	if damaged {
		l.damaged(err)
	}
	return err
}
