// Package hotplug plugs devices into a machine that runs, and unplugs them: disks, network
// cards, memory, processors, and what else a bus takes.
//
//	err := hotplug.AddDisk(ctx, c, device.VirtioBlkPCI{ID: "vd0", Drive: "disk0"}, qapi.BlockdevOptions{
//		NodeName: new("disk0"),
//		Driver: qapi.BlockdevOptionsQcow2{
//			File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "vm.qcow2"}},
//		},
//	})
//	…
//	err = hotplug.RemoveDisk(ctx, c, "vd0", "disk0")
//
// [AddDisk], [AddNIC] and [AddMemory] plug a device in together with what it needs, [RemoveDisk],
// [RemoveNIC] and [RemoveMemory] take both away; [Plug] and [Unplug] do so with any device. [SetCPUs]
// sets how many processors there are, [Balloon] and [ResizeMemory] how much memory the guest
// has.
//
// # The guest
//
// A device is plugged in at once; the guest notices it, or not. To unplug one, the guest is
// asked, and takes its time: seconds behind a PCI Express port. It may refuse, which is
// a [*RefusedError], or never answer, since it is not running, is still booting or cannot do it: the error
// then wraps [ErrNotReleased]. Functions that wait for the guest do so until ctx ends; for
// [DefaultLimit] if ctx has no deadline.
//
// # Failures
//
// What fails half-way is rolled back: a device that cannot be plugged in leaves no block node,
// netdev or memory backend. The error says what could not be taken back. What a
// guest has let go of is not plugged in again.
//
// Everything works on connections that are made again when they are lost (qmp.WithReconnect):
// the server is asked after each loss, and a command that may have been executed is not sent
// again before it is known that it was not.
package hotplug
