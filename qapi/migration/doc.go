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
// With the address [File], Run saves a machine and Incoming restores it. [Attach] waits for a
// migration that runs already. [Recover] and [Arrival.Recover] continue a migration that was
// interrupted after [Postcopy].
//
// # What is done for you
//
// The address is sent in a form that the server knows. The capabilities and parameters that were
// asked for are set, and the capability events is turned on. Afterwards all are as before,
// except for the parameter block-bitmap-mapping, which QEMU cannot reset.
//
// QEMU is asked for the state of the migration after each event and at growing intervals. When the
// migration is over, it is asked until the machine has settled: QEMU reports the end some milliseconds before
// it accepts cont. The reason of a failure is QEMU's own, from both sides if both have one. When
// ctx ends, the migration is cancelled, and its end is awaited for up to 10 s, or as long as [Limit]
// says; if that is not enough, the error says what was left.
//
// All this works on connections that are made again when they are lost (qmp.WithReconnect):
// after each loss the server is asked for the state, and a command that may have been executed is
// sent again only when it is known that it was not. If another QEMU answers then, that is an error.
package migration
