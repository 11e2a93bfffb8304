// Package qapi is QEMU's machine protocol, typed: a method for each command, a
// struct for each event, and Go types for all that they carry. It is generated
// from the QAPI schemas of all releases from QEMU 5.2 on, and has what any of them
// has: comments say which, where not all do.
//
//	c, err := qapi.Dial(ctx, "unix:/run/vm/qmp.sock")
//	…
//	defer c.Close()
//	status, err := c.QueryStatus(ctx)
//
// # Names
//
// A name in the schema becomes Go's by its words: the command query-cpus-fast
// is [Client.QueryCPUsFast], its inline arguments would be QueryCPUsFastArgs;
// the event BLOCK_IO_ERROR is [BlockIOErrorEvent] and [Client.OnBlockIOError];
// the value io-error of the enum RunState is [RunStateIOError]. Each comment
// gives the schema's own name, so that a search for it finds the Go one.
//
// # Optional members
//
// An optional member is a pointer, nil if absent; new builds one in place:
//
//	qapi.EjectArgs{ID: new("cd0"), Force: new(true)}
//
// Lists and maps are absent when nil. An empty list that is not nil is sent.
//
// # Unions
//
// Where the members of an object depend on a tag, the field of the tag holds
// the variant, and the variant's type is the tag:
//
//	qapi.BlockdevOptions{
//		NodeName: new("disk0"),
//		Driver: qapi.BlockdevOptionsQcow2{
//			File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "vm.qcow2"}},
//		},
//	}
//
// A type switch tells the variants of what a server sent apart. It finds values,
// never pointers; [Unknown] is a variant that these bindings do not know.
//
// # Alternates
//
// Where a member can be of several JSON kinds, its type is an interface. A
// named type stands for itself, and [Str], [Null] and their like for bare JSON
// values:
//
//	qapi.BlockdevOptionsQcow2{File: qapi.Str("proto0"), Backing: qapi.Null{}}
//
// # Devices
//
// [Client.DeviceAdd] takes any [Device]. Package qapi/device has those that people use as
// types; [DeviceAddArgs] takes the properties of all others in a map:
//
//	device.VirtioBlkPCI{ID: "vd0", Bus: "rp0", Drive: "disk0"}
//	qapi.DeviceAddArgs{Driver: "edu", ID: new("edu0"), Props: map[string]any{"dma_mask": 1<<28 - 1}}
//
// # Printing
//
// What can hold a secret prints without it, as JSON, with package fmt and with log/slog.
// [Text] does this for any value, and follows pointers.
//
// # Other releases
//
// Only what is set is sent. Members that a server does not send stay zero, and
// those that these bindings do not know are ignored. Enums, unions, events and
// error classes are open: an unknown one is passed on, not refused.
//
// # What to call for what
//
// In the order in which one mostly needs them.
//
// Run state: [Client.QueryStatus], [Client.Cont] and [ResumeEvent], [Client.Stop]
// and [StopEvent], [Client.SystemReset], [Client.SystemPowerdown],
// [Client.SystemWakeup], [Client.Quit] and [ShutdownEvent]; [GuestPanickedEvent],
// [WatchdogEvent].
//
// Disks: [Client.BlockdevAdd], [Client.DeviceAdd], [Client.QueryNamedBlockNodes],
// [Client.QueryBlockstats], [Client.BlockResize], [Client.BlockSetIOThrottle],
// [BlockIOErrorEvent]; to unplug [Client.DeviceDel], [DeviceDeletedEvent],
// [Client.BlockdevDel]; new images [Client.BlockdevCreate].
//
// CD-ROMs: [Client.BlockdevOpenTray] and [DeviceTrayMovedEvent],
// [Client.BlockdevRemoveMedium], [Client.BlockdevInsertMedium],
// [Client.BlockdevCloseTray]; all in one [Client.BlockdevChangeMedium];
// [Client.Eject].
//
// Snapshots and copies: [Client.Transaction], [Client.BlockdevSnapshot],
// [Client.BlockCommit], [Client.BlockStream], [Client.BlockdevMirror],
// [Client.BlockdevBackup], [Client.BlockDirtyBitmapAdd]; with memory
// [Client.SnapshotSave], [Client.SnapshotLoad]. Their jobs: [Client.QueryJobs],
// [JobStatusChangeEvent], [Client.JobComplete], [Client.JobCancel],
// [Client.JobDismiss]; [Client.QueryBlockJobs], [BlockJobReadyEvent],
// [BlockJobCompletedEvent]. Packages qapi/job and qapi/disk do this from start to end.
//
// Network: [Client.NetdevAdd], [Client.DeviceAdd], [Client.SetLink],
// [Client.QueryRxFilter], [Client.AnnounceSelf]; [Client.DeviceDel],
// [Client.NetdevDel].
//
// Migration: [Client.MigrateSetCapabilities], [Client.MigrateSetParameters],
// [Client.Migrate], [Client.QueryMigrate], [MigrationEvent],
// [Client.MigrateCancel]; at the other end [Client.MigrateIncoming].
//
// CPUs and memory: [Client.QueryHotpluggableCPUs], [Client.DeviceAdd],
// [Client.QueryCPUsFast]; [Client.ObjectAdd] of a memory backend,
// [Client.DeviceAdd], [Client.QueryMemoryDevices], [Client.Balloon],
// [Client.QueryBalloon].
//
// Displays: [Client.QueryVNC], [Client.SetPassword], [Client.ExpirePassword],
// [Client.DisplayReload], [Client.Screendump], [TypeText], [Click],
// [Client.SendKey], [VNCConnectedEvent].
//
// Character devices: [Client.ChardevAdd], [Client.QueryChardev],
// [Client.ChardevChange], [Client.ChardevRemove], [Client.RingbufRead],
// [VserportChangeEvent].
//
// What this QEMU can do: [Supports], [Introspect], [Client.QueryVersion],
// [Client.QueryCommands], [Client.QueryMachines], [Client.QueryCPUDefinitions],
// [Client.DeviceListProperties], [Client.QOMListTypes].
//
// Files: [AddFile], [Client.Getfd]. Events: [Subscribe], [Events], [Await].
//
// Debugging: [Client.QOMList], [QOMGetAs], [HMP],
// [Client.DumpGuestMemory] and [DumpCompletedEvent], [Client.InjectNMI],
// [Client.TraceEventSetState].
package qapi
