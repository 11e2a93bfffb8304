// Package disk backs up the disks of a running machine, puts snapshots on them and takes
// those away again: what takes several block nodes, dirty bitmaps and jobs, and must be
// undone when the third step fails. It also shows what disks consist of ([ReadGraph]) and what
// is read and written ([Rates]).
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
// Options are those of package job. [job.Limit] limits how long jobs may take to be cancelled; block
// nodes and bitmaps are removed within 10 s each. Errors are
// often a [*job.Error], with QEMU's reason. Connections that are made again may be lost at any moment.
package disk
