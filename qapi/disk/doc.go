// Package disk backs up the disks of a running machine, creates snapshots of them and removes
// the snapshots again. Each of these takes several block nodes, dirty bitmaps and jobs, and must be
// undone when a later step fails. The package also shows what disks consist of ([ReadGraph]) and
// how much is read and written ([Rates]).
//
//	err := disk.Backup(ctx, c, []disk.Copy{{
//		Node: "disk0", Bitmap: "since-monday", To: disk.File{Path: "/backup/monday.qcow2"},
//	}})
//	…
//	err = disk.Increment(ctx, c, []disk.Copy{{
//		Node: "disk0", Bitmap: "since-monday",
//		To: disk.File{Path: "/backup/tuesday.qcow2", Backing: "/backup/monday.qcow2"},
//	}})
//
// [Backup], [Increment] and [Snapshot] act on several disks at one moment. They do everything or
// undo everything: block nodes that they added are removed, jobs are cancelled, bitmaps are as
// before. What could not be undone is in the error. QEMU cannot remove files, so those that it has
// created stay. A [Commit] is not undone.
//
// The options are those of package job. [job.Limit] limits how long it may take to cancel jobs; block
// nodes and bitmaps are removed within 10 s each. Many errors are or wrap a [*job.Error], with
// QEMU's reason. All functions work on connections that are made again when they are lost.
package disk
