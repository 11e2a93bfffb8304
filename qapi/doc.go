// Package qapi is the typed API of QEMU's machine protocol: a method for each command, a
// struct for each event, and Go types for all data in them. It is generated
// from the QAPI schemas of all releases from QEMU 5.2 on, and has what any of them
// has: where not all releases have it, the comment says which do.
//
//	c, err := qapi.Dial(ctx, "unix:/run/vm/qmp.sock")
//	…
//	defer c.Close()
//	status, err := c.QueryStatus(ctx)
//
// # Names
//
// A name in the schema becomes a Go name word by word: the command query-cpus-fast
// is [Client.QueryCPUsFast], its inline arguments would be QueryCPUsFastArgs;
// the event BLOCK_IO_ERROR is [BlockIOErrorEvent] and [Client.OnBlockIOError];
// the value io-error of the enum RunState is [RunStateIOError]. Each comment
// gives the schema's own name, so that a search for it finds the Go one.
//
// # Optional members
//
// An optional member is a pointer, nil if absent; new makes one in an expression:
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
// To find out which variant a server sent, use a type switch. Received variants are
// values, never pointers; [Unknown] is a variant that these bindings do not know.
//
// # Alternates
//
// Where a member can be of several JSON kinds, its type is an interface. It holds a type
// of the schema, or [Str], [Null] or a similar type for a plain JSON value:
//
//	qapi.BlockdevOptionsQcow2{File: qapi.Str("proto0"), Backing: qapi.Null{}}
//
// # Devices
//
// [Client.DeviceAdd] takes a [Device]. Package qapi/device has types for the most common
// devices; [DeviceAddArgs] takes any device, with its properties in a map; and a
// struct of your own is a device if it has the method DeviceDriver. Package qapi/cmdline
// writes devices as arguments for a QEMU that is to be started.
//
// # Printing
//
// Types that can hold a secret print as JSON without it, with package fmt and with log/slog.
// [Text] does this for any value, and follows pointers.
//
// # Other releases
//
// Only what is set is sent. Members that a server does not send stay zero, and
// those that these bindings do not know are ignored. Enums, unions, events and
// error classes are open: an unknown one is passed on, not refused.
//
// # Methods by purpose
//
// The most common purposes come first.
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
// [Client.MigrateCancel]; at the other end [Client.MigrateIncoming]. Package
// qapi/migration does all of it.
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
