package job

import (
	"context"
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

// Transaction does all of some actions at one moment, or none, and returns the jobs that they
// have started when all have ended, in the order of the actions. When one fails, the others
// are cancelled, and the error is that of the one that failed.
//
// If every action starts a job and args.Properties is nil, the jobs make their changes together:
// if one fails, all of them are undone, and dirty bitmaps stay as they were. Other actions
// cannot be part of that: with them a job that ends before another fails has succeeded. The jobs
// are those of blockdev-backup; one of drive-backup, which is deprecated, is started, but
// not waited for.
func Transaction(ctx context.Context, c *qapi.Client, args qapi.TransactionArgs, opts ...Option) ([]qapi.JobInfo, error) {
	jobs, err := StartTransaction(ctx, c, args, opts...)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	return finish(ctx, c, jobs)
}

// StartTransaction is [Transaction] without waiting: it returns handles on the jobs, in the
// order of the actions that start them. Jobs with AutoFinalize set to false are all pending at one
// time if they make their changes together; [Job.Finalize] of one of them is enough then.
func StartTransaction(ctx context.Context, c *qapi.Client, args qapi.TransactionArgs, opts ...Option) ([]*Job, error) {
	args.Actions = slices.Clone(args.Actions)
	var list []starter
	var set []func(id string)
	for i := range args.Actions {
		if id, f := jobOf(&args.Actions[i]); f != nil {
			list, set = append(list, starter{kind: qapi.JobTypeBackup, id: id}), append(set, f)
		}
	}
	switch {
	case len(list) == 0:
		return nil, c.Transaction(ctx, args)
	case args.Properties == nil && len(list) == len(args.Actions):
		args.Properties = &qapi.TransactionProperties{CompletionMode: new(qapi.ActionCompletionModeGrouped)}
	}
	return start(ctx, c, list, newOptions(opts), func(ctx context.Context, ids []string) error {
		for i, id := range ids {
			set[i](id)
		}
		return c.Transaction(ctx, args)
	})
}

// jobOf returns the id of the job that an action starts and what gives it another; nil if it
// starts none.
func jobOf(a *qapi.TransactionAction) (id string, set func(id string)) {
	switch backup := a.Type.(type) {
	case qapi.TransactionActionBlockdevBackup:
		return qapi.Value(backup.JobID), func(id string) {
			backup.JobID, backup.AutoDismiss = &id, new(false)
			a.Type = backup
		}
	case *qapi.TransactionActionBlockdevBackup:
		if backup != nil { // nil is refused before anything is sent
			a.Type = *backup
			return jobOf(a)
		}
	}
	return "", nil
}
