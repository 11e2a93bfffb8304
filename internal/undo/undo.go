// Package undo rolls back what was done only in part.
package undo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// DefaultLimit is how long all undoing together may take.
const DefaultLimit = 10 * time.Second

// A Stack holds how to undo what has been done so far. The zero value is ready for use:
//
//	func do(ctx context.Context) (err error) {
//		var u undo.Stack
//		defer u.Run(ctx, &err)
//		…
//		u.Add("block node x", func(ctx context.Context) error { … })
type Stack struct {
	Limit time.Duration // for all steps together; 0: DefaultLimit

	steps []step
}

type step struct {
	what string
	undo func(context.Context) error
}

// Add adds a function that undoes a step. The step has been done, or is about to be done:
// then it may take effect even if the caller gets an error. what names the thing that the
// step adds, for the error if undo fails.
func (s *Stack) Add(what string, undo func(context.Context) error) {
	s.steps = append(s.steps, step{what, undo})
}

// Forget forgets all steps: what was done stays.
func (s *Stack) Forget() { s.steps = nil }

// Run undoes everything if *err is an error, the last step first. It continues after a step
// that cannot be undone, and adds to *err what is left. The steps have a context of their
// own with a limit, since that of the caller may have ended.
func (s *Stack) Run(ctx context.Context, err *error) {
	if *err == nil {
		return
	}
	*err = s.Undo(ctx, *err)
}

// Undo undoes everything because of err, and returns err; if something could not be undone,
// the error also says what is left. err may be nil, for steps that are undone in any case.
func (s *Stack) Undo(ctx context.Context, err error) error {
	limit := s.Limit
	if limit == 0 {
		limit = DefaultLimit
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	var left []string
	var problems []error
	for _, step := range slices.Backward(s.steps) {
		if problem := step.undo(ctx); problem != nil {
			problems = append(problems, problem)
			left = append(left, fmt.Sprintf("%s (%v)", step.what, problem))
		}
	}
	s.Forget()
	if left == nil {
		return err
	}
	text := "left behind: " + strings.Join(left, ", ")
	if err == nil {
		return &leftError{errors.Join(problems...), text}
	}
	return &leftError{err, err.Error() + "; " + text}
}

// leftError is an error after which not everything could be undone. It wraps only that
// error, if there is one, and not the errors of undoing: qmp.MayHaveRun must not look at
// these.
type leftError struct {
	error

	text string
}

func (e *leftError) Error() string { return e.text }
func (e *leftError) Unwrap() error { return e.error }
