// Package disk backs up the disks of a running machine, puts snapshots on them and takes
// those away again: what takes several block nodes, dirty bitmaps and jobs, and must be
// undone when the third step fails.
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
// Each function acts on several disks at one moment, and either has done all when it returns, or
// has undone all: block nodes that it has added are removed, jobs are cancelled, bitmaps
// are as they were. What could not be undone is in the error. QEMU cannot remove files, so that those it
// has made stay.
//
// Options are those of package job: progress, and the limit of what is undone. Errors are
// often a [*job.Error], with QEMU's reason. Connections that are made again may be lost at any moment.
package disk
