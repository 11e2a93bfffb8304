package machine

import (
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// A step is a part of a transaction that has been done, as far as it can be undone.
type step struct {
	undo   func() // nil: there is nothing to undo
	commit func() // does what cannot be undone; nil: nothing
	work   func() // what goes on after the reply; nil: nothing
}

// command makes a command from a function that does a step.
func command[A any](m *Machine, f func(A, Request) (step, error)) func(A, Request) error {
	return func(args A, req Request) error {
		s, err := f(args, req)
		if err == nil {
			m.carryOut([]step{s}, req)
		}
		return err
	}
}

// carryOut completes steps: it commits them, and starts their work after the reply, that of the
// last step first.
func (m *Machine) carryOut(done []step, req Request) {
	for _, s := range done {
		if s.commit != nil {
			s.commit()
		}
	}
	m.after(req, func() {
		for _, s := range slices.Backward(done) {
			if s.work != nil {
				s.work()
			}
		}
	})
}

// An action does a step; its arguments fit the schema.
type action func(args jsontext.Value, req Request) (step, error)

func actionOf[A any](f func(A, Request) (step, error)) action {
	return func(text jsontext.Value, req Request) (step, error) {
		var args A
		if err := json.Unmarshal(text, &args); err != nil {
			return step{}, err
		}
		return f(args, req)
	}
}

func (m *Machine) actions() map[string]action {
	return map[string]action{
		"abort": func(jsontext.Value, Request) (step, error) {
			return step{}, generic("Transaction aborted using Abort action")
		},
		"block-dirty-bitmap-add":          actionOf(m.addBitmap),
		"block-dirty-bitmap-remove":       actionOf(m.removeBitmap),
		"block-dirty-bitmap-clear":        actionOf(m.clearBitmap),
		"block-dirty-bitmap-enable":       actionOf(m.enableBitmap),
		"block-dirty-bitmap-disable":      actionOf(m.disableBitmap),
		"block-dirty-bitmap-merge":        actionOf(m.mergeBitmaps),
		"blockdev-backup":                 actionOf(m.backup),
		"blockdev-snapshot":               actionOf(m.snapshot),
		"blockdev-snapshot-internal-sync": actionOf(m.internalSnapshot),
		"blockdev-snapshot-sync":          actionOf(m.snapshotSync),
		"drive-backup":                    actionOf(m.driveBackup),
	}
}

type transactionArgs struct {
	Actions []struct {
		Type string         `json:"type"`
		Data jsontext.Value `json:"data"`
	} `json:"actions"`
	Properties struct {
		CompletionMode qapi.ActionCompletionMode `json:"completion-mode"`
	} `json:"properties"`
}

// grouping are the actions that can start jobs of a group; abort fails before it starts a job.
var grouping = []string{"abort", "blockdev-backup", "drive-backup"}

// transaction does all of some actions, or none.
func (m *Machine) transaction(args transactionArgs, req Request) error {
	grouped := args.Properties.CompletionMode == qapi.ActionCompletionModeGrouped
	var done []step
	before := slices.Clone(m.jobs)
	for _, a := range args.Actions {
		var s step
		var err error
		if grouped && !slices.Contains(grouping, a.Type) {
			err = generic("Action '%s' does not support transaction property completion-mode = grouped", a.Type)
		} else {
			s, err = m.actions()[a.Type](a.Data, req)
		}
		if err != nil {
			for _, s := range slices.Backward(done) {
				if s.undo != nil {
					s.undo()
				}
			}
			return err
		}
		done = append(done, s)
	}
	if grouped {
		m.made.groups++
		for _, j := range m.jobs {
			if !slices.Contains(before, j) {
				j.group = m.made.groups
			}
		}
	}
	if m.since("10.0") {
		slices.Reverse(done)
	}
	m.carryOut(done, req)
	return nil
}
