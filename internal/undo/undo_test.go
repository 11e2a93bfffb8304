package undo_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/internal/undo"
)

var errFailed = errors.New("failed")

// twoSteps does two things, and undoes them if err is an error.
func twoSteps(ctx context.Context, undone *[]string, err error) (result error) {
	var u undo.Stack
	defer u.Run(ctx, &result)
	for _, what := range []string{"first", "second"} {
		u.Add(what, func(context.Context) error {
			*undone = append(*undone, what)
			return nil
		})
	}
	return err
}

func TestStackUndoesTheLastFirst(t *testing.T) {
	var undone []string
	assert.Equal(t, errFailed, twoSteps(t.Context(), &undone, errFailed))
	assert.Equal(t, []string{"second", "first"}, undone)
}

func TestStackUndoesNothingWithoutAnError(t *testing.T) {
	var undone []string
	assert.NoError(t, twoSteps(t.Context(), &undone, nil))
	assert.Empty(t, undone)

	var u undo.Stack
	u.Add("what stays", func(context.Context) error { panic("undone") })
	u.Forget()
	assert.Equal(t, errFailed, u.Undo(t.Context(), errFailed))
}

func TestStackWorksAfterItsContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var u undo.Stack
	u.Add("it", func(ctx context.Context) error { return ctx.Err() })
	assert.Equal(t, context.Canceled, u.Undo(ctx, context.Canceled), "nothing was left")
}

func TestStackSaysWhatWasLeft(t *testing.T) {
	refused := errors.New("node is in use")
	var u undo.Stack
	reached := false
	u.Add("a", func(context.Context) error { reached = true; return nil })
	u.Add("block node b", func(context.Context) error { return refused })
	err := u.Undo(t.Context(), errFailed)
	assert.EqualError(t, err, "failed; left behind: block node b (node is in use)")
	assert.ErrorIs(t, err, errFailed)
	assert.NotErrorIs(t, err, refused)
	assert.True(t, reached, "the steps after one that fails")

	u.Add("block node b", func(context.Context) error { return refused })
	err = u.Undo(t.Context(), nil)
	assert.EqualError(t, err, "left behind: block node b (node is in use)")
	assert.ErrorIs(t, err, refused)
}

func TestStackHasALimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		for limit, want := range map[time.Duration]time.Duration{0: undo.DefaultLimit, time.Minute: time.Minute} {
			u := undo.Stack{Limit: limit}
			u.Add("a", hang)
			u.Add("b", hang)
			start := time.Now()
			err := u.Undo(t.Context(), errFailed)
			assert.Equal(t, want, time.Since(start))
			assert.ErrorContains(t, err, "left behind: b (context deadline exceeded), a (")
		}
	})
}
