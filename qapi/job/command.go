package job

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/goqapi/goqapi/qapi"
)

// A Command starts a job. It is either the arguments of a command, in which the job's id
// can be left out, or a function that executes any other command and passes the given id to
// it. Such a function should set auto-dismiss to false if the command has that argument:
// otherwise the reason of a failure may not be found. The function may be called a second
// time if the connection was lost and there is no such job.
type Command interface {
	qapi.BlockdevBackup | qapi.BlockdevMirrorArgs | qapi.BlockCommitArgs | qapi.BlockStreamArgs |
		qapi.BlockdevCreateArgs | qapi.XBlockdevAmendArgs |
		qapi.SnapshotSaveArgs | qapi.SnapshotLoadArgs | qapi.SnapshotDeleteArgs |
		func(ctx context.Context, id string) error
}

// A starter is a command that is ready to be executed.
type starter struct {
	kind qapi.JobType // "": not known
	id   string       // "": one must be chosen
	do   func(ctx context.Context, id string) error
}

func newStarter[C Command](c *qapi.Client, command C) starter {
	switch args := any(command).(type) {
	case qapi.BlockdevBackup:
		return starter{qapi.JobTypeBackup, qapi.Value(args.JobID), func(ctx context.Context, id string) error {
			args.JobID, args.AutoDismiss = &id, new(false)
			return c.BlockdevBackup(ctx, args)
		}}
	case qapi.BlockdevMirrorArgs:
		return starter{qapi.JobTypeMirror, qapi.Value(args.JobID), func(ctx context.Context, id string) error {
			args.JobID, args.AutoDismiss = &id, new(false)
			return c.BlockdevMirror(ctx, args)
		}}
	case qapi.BlockCommitArgs:
		return starter{qapi.JobTypeCommit, qapi.Value(args.JobID), func(ctx context.Context, id string) error {
			args.JobID, args.AutoDismiss = &id, new(false)
			return c.BlockCommit(ctx, args)
		}}
	case qapi.BlockStreamArgs:
		return starter{qapi.JobTypeStream, qapi.Value(args.JobID), func(ctx context.Context, id string) error {
			args.JobID, args.AutoDismiss = &id, new(false)
			return c.BlockStream(ctx, args)
		}}
	case qapi.BlockdevCreateArgs:
		return starter{qapi.JobTypeCreate, args.JobID, func(ctx context.Context, id string) error {
			args.JobID = id
			return c.BlockdevCreate(ctx, args)
		}}
	case qapi.XBlockdevAmendArgs:
		return starter{qapi.JobTypeAmend, args.JobID, func(ctx context.Context, id string) error {
			args.JobID = id
			return c.XBlockdevAmend(ctx, args)
		}}
	case qapi.SnapshotSaveArgs:
		return starter{qapi.JobTypeSnapshotSave, args.JobID, func(ctx context.Context, id string) error {
			args.JobID = id
			return c.SnapshotSave(ctx, args)
		}}
	case qapi.SnapshotLoadArgs:
		return starter{qapi.JobTypeSnapshotLoad, args.JobID, func(ctx context.Context, id string) error {
			args.JobID = id
			return c.SnapshotLoad(ctx, args)
		}}
	case qapi.SnapshotDeleteArgs:
		return starter{qapi.JobTypeSnapshotDelete, args.JobID, func(ctx context.Context, id string) error {
			args.JobID = id
			return c.SnapshotDelete(ctx, args)
		}}
	case func(ctx context.Context, id string) error:
		return starter{do: args}
	}
	panic("job: a command that Command has and newStarter does not")
}

// newID returns an id that no other job has or had.
func newID(kind qapi.JobType) string {
	if kind == "" {
		kind = "job"
	}
	return fmt.Sprintf("%s-%016x", kind, rand.Uint64())
}

// Backup copies a disk as it is at the start, as [qapi.Client.BlockdevBackup] does, and
// returns the job when it has ended.
func Backup(ctx context.Context, c *qapi.Client, args qapi.BlockdevBackup, opts ...Option) (qapi.JobInfo, error) {
	return Run(ctx, c, args, opts...)
}

// Mirror copies a disk and then switches the guest over to the copy, unless
// [StayOnSource] says otherwise. See [qapi.Client.BlockdevMirror].
func Mirror(ctx context.Context, c *qapi.Client, args qapi.BlockdevMirrorArgs, opts ...Option) (qapi.JobInfo, error) {
	return Run(ctx, c, args, opts...)
}

// Commit writes overlays into a backing image below them, as [qapi.Client.BlockCommit] does. If the
// guest uses one of these overlays itself, it is switched over to the backing image at the end.
// The overlays' nodes stay; Commit of package qapi/disk also removes the node of the topmost one.
func Commit(ctx context.Context, c *qapi.Client, args qapi.BlockCommitArgs, opts ...Option) (qapi.JobInfo, error) {
	return Run(ctx, c, args, opts...)
}

// Stream copies what is in backing images into the image above them, as [qapi.Client.BlockStream] does.
func Stream(ctx context.Context, c *qapi.Client, args qapi.BlockStreamArgs, opts ...Option) (qapi.JobInfo, error) {
	return Run(ctx, c, args, opts...)
}

// Create creates an image, as [qapi.Client.BlockdevCreate] does: a file, or a format in an
// existing node. It cannot be cancelled: it runs to its end.
func Create(ctx context.Context, c *qapi.Client, options qapi.BlockdevCreateOptions, opts ...Option) (qapi.JobInfo, error) {
	return Run(ctx, c, qapi.BlockdevCreateArgs{Options: options}, opts...)
}

// Amend changes options of an image's format, such as the keys of an encrypted one. See
// [qapi.Client.XBlockdevAmend].
func Amend(ctx context.Context, c *qapi.Client, args qapi.XBlockdevAmendArgs, opts ...Option) (qapi.JobInfo, error) {
	return Run(ctx, c, args, opts...)
}

// SnapshotSave saves the state of the machine and its disks in the disks' images, as
// [qapi.Client.SnapshotSave] does. The guest does not run meanwhile. QEMU 6.0 and later.
func SnapshotSave(ctx context.Context, c *qapi.Client, args qapi.SnapshotSaveArgs, opts ...Option) (qapi.JobInfo, error) {
	return Run(ctx, c, args, opts...)
}

// SnapshotLoad returns to a snapshot of machine and disks, as [qapi.Client.SnapshotLoad] does.
// QEMU 6.0 and later.
func SnapshotLoad(ctx context.Context, c *qapi.Client, args qapi.SnapshotLoadArgs, opts ...Option) (qapi.JobInfo, error) {
	return Run(ctx, c, args, opts...)
}

// SnapshotDelete deletes a snapshot, as [qapi.Client.SnapshotDelete] does. QEMU 6.0 and later.
func SnapshotDelete(ctx context.Context, c *qapi.Client, args qapi.SnapshotDeleteArgs, opts ...Option) (qapi.JobInfo, error) {
	return Run(ctx, c, args, opts...)
}
