// Package job runs jobs: the work that QEMU does in the background, such as a backup or
// the creation of an image.
//
//	_, err := job.Backup(ctx, c, qapi.BlockdevBackup{
//		Device: "disk0", Target: "copy0", Sync: qapi.MirrorSyncModeFull,
//	}, job.OnProgress(func(p job.Progress) { fmt.Printf("\r%s ", p) }))
//	if failed, ok := errors.AsType[*job.Error](err); ok {
//		fmt.Println("QEMU says:", failed.Reason)
//	}
//
// [Backup], [Mirror], [Commit], [Stream], [Create], [Amend], [SnapshotSave], [SnapshotLoad],
// [SnapshotDelete] and [Run] start a job and return when it has ended: with an [*Error], which
// has QEMU's reason, if it has failed or was cancelled. [Transaction] does so with several
// that succeed or fail together. [Dump] and [BackgroundSnapshot] are work of the same kind that
// QEMU does not call jobs.
//
// [Start] returns a handle instead, to pause a job, to change its speed or to choose the
// moment of its last step. [Attach] makes one for a job that runs already.
//
// # What is done for you
//
// A job gets an id if it has none. It is kept by QEMU until its end was read, and dismissed
// then: AutoDismiss is set to false for you. One that is ready, such as a mirror, is completed; one
// that waits to be finalized is finalized. When ctx ends, the job is cancelled and its end
// is awaited, for 10 s or as long as [Limit] says; the error has what was left if that was not
// enough.
//
// All this works on connections that are made again when they are lost (qmp.WithReconnect):
// after each loss the server is asked, and a command that may have been executed is not
// sent again before it is known that it was not. If the server that comes back does not have
// the job, the error wraps [ErrGone].
package job
