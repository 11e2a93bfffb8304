// Package migration moves running machines from one QEMU to another, and saves them in files.
//
//	stats, err := migration.Move(ctx, from, to, migration.TCP("10.0.0.2", 0),
//		migration.OnProgress(func(p migration.Progress) { fmt.Printf("\r%s ", p) }))
//	if failed, ok := errors.AsType[*migration.Error](err); ok {
//		fmt.Println("QEMU says:", failed.Reason)
//	}
//
// [Move] takes clients of both QEMUs. A program that has only one of them uses [Run] at the source,
// and [Incoming] with [Arrival.Wait] at the destination, which is started with -incoming defer.
// Run saves a machine with the address [File], and Incoming brings it back. [Attach] waits for a
// migration that runs already, [Recover] and [Arrival.Recover] take one up again that was
// interrupted after [Postcopy].
//
// # What is done for you
//
// The address is sent in the form that the server knows. The capabilities and parameters that are
// asked for are set, and events is turned on; when all is over they are as they were before,
// except for block-bitmap-mapping, which QEMU cannot take back.
//
// QEMU is asked how far it is after each event and at growing intervals, and again when the
// migration is over, until the machine has settled: QEMU reports the end some milliseconds before
// it accepts cont. The reason of a failure is QEMU's own, of both sides if both have one. When
// ctx ends, the migration is cancelled and its end is awaited, for 10 s or as long as [Limit]
// says; the error has what was left if that was not enough.
//
// All this works on connections that are made again when they are lost (qmp.WithReconnect):
// after each loss the server is asked, and a command that may have been executed is not
// sent again before it is known that it was not. If another QEMU comes back, that is an error.
package migration
