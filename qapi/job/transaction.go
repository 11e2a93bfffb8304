package job

import (
	"context"
	"slices"

	"github.com/goqapi/goqapi/qapi"
)

// Transaction executes several actions at one moment, or none of them. It waits until all jobs that they
// started have ended, and returns these jobs in the order of the actions. When one fails, the others
// are cancelled, and the error is that of the job that failed.
//
// If every action starts a job and args.Properties is nil, the jobs make their changes together:
// if one job fails, none makes its changes, and dirty bitmaps stay as they were. Other actions
// cannot take part in this. If args has such actions, each job makes its changes when it ends,
// and keeps them even if another job fails later. The jobs are those of blockdev-backup. A job
// of drive-backup, which is deprecated, is started, but Transaction does not wait for it.
func Transaction(ctx context.Context, c *qapi.Client, args qapi.TransactionArgs, opts ...Option) ([]qapi.JobInfo, error) {
	jobs, err := StartTransaction(ctx, c, args, opts...)
	if err != nil || len(jobs) == 0 {
		return nil, err
	}
	return finish(ctx, c, jobs)
}

// StartTransaction is like [Transaction], but does not wait: it returns handles on the jobs, in the
// order of the actions that start them. If the jobs make their changes together and AutoFinalize is false, they
// are all pending at the same time; then it is enough to call [Job.Finalize] of one of them.
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

// jobOf returns the id of the job that an action starts, and a function that sets another id; nil if the
// action does not start a job.
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
