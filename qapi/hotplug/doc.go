// Package hotplug plugs devices into a running machine, and unplugs them: disks, network
// cards, memory, processors, and anything else that a bus takes.
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
// [AddDisk], [AddNIC] and [AddMemory] plug in a device together with what it needs, and [RemoveDisk],
// [RemoveNIC] and [RemoveMemory] remove both. [Plug] and [Unplug] are for any device. [SetCPUs]
// sets how many processors there are, [Balloon] and [ResizeMemory] how much memory the guest
// has.
//
// # The guest
//
// A device is plugged in at once, whether or not the guest notices it. To unplug a device, QEMU asks the guest to
// release it, which takes time: some seconds for a device in a PCI Express port. The guest may refuse, which is
// a [*RefusedError]. Or it may never answer, because it is not running, is still booting or cannot do it: the error
// then wraps [ErrNotReleased]. Functions that wait for the guest do so until ctx ends, or for
// [DefaultLimit] if ctx has no deadline.
//
// # Failures
//
// What fails half-way is rolled back: a device that cannot be plugged in leaves no block node,
// netdev or memory backend. The error says what could not be removed. What a
// guest has released is not plugged in again.
//
// Everything works on connections that are made again when they are lost (qmp.WithReconnect):
// after each loss the server is asked for the state, and a command that may have been executed is
// sent again only when it is known that it was not.
package hotplug
