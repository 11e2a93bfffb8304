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
// [Start] returns a handle instead, with which a job can be paused, its speed changed, and
// the moment of its last step chosen. [Attach] returns a handle on a job that runs already.
//
// # What is done for you
//
// A job gets an id if it has none. QEMU keeps it until its end was read, and then it is
// dismissed: AutoDismiss is set to false for you. A job that is ready, such as a mirror, is completed; a job
// that waits to be finalized is finalized. When ctx ends, the job is cancelled, and its end
// is awaited for up to 10 s, or as long as [Limit] says; if that is not enough, the error says what
// was left.
//
// All this works on connections that are made again when they are lost (qmp.WithReconnect):
// after each loss the server is asked for the state, and a command that may have been executed is
// sent again only when it is known that it was not. If the server does not have the job
// afterwards, the error wraps [ErrGone].
package job
