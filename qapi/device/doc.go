// Package device has the devices of QEMU 5.2 to 11.1 as types, for [qapi.Client.DeviceAdd]: a
// property that does not exist, or whose value is of another kind, does not compile.
//
//	err := c.DeviceAdd(ctx, device.VirtioBlkPCI{ID: "vd0", Bus: "rp0", Drive: "disk0", Bootindex: new(int32(0))})
//
// There is a struct for each of some 200 devices that people use, with the properties that any
// release has; if not all of them have a device or a property, its comment says which do. The
// facts are those of 5.2, 7.2, 10.0 and 11.1, for x86_64, aarch64 and s390x; releases in between
// were not checked. A server refuses a property that it does not have, except that servers before
// 9.2 ignore it if the value is a list.
//
// # Fields
//
// A device's own properties come first, then those of its family, then those of its bus. Text,
// ids, enums and lists are absent when empty; bools and numbers are pointers, since false and 0 mean
// something and machine types have defaults of their own; new(true) makes one in place.
// Sizes are in bytes. A [PCIAddr] is made by [Slot] or [SlotFunction].
//
// Props is for properties that are not fields, such as those that QEMU calls experimental, whose
// names begin with x-. For other devices there is [qapi.DeviceAddArgs], and any struct of yours
// can be a [qapi.Device].
//
// Processors have one type for each target: [X86CPU], [ARMCPU] and [S390XCPU]. It is usually
// simpler to use [qapi.HotpluggableCPU.Device].
//
// # Asking
//
// [Check] finds, before the device is sent, what this server does not have or would misunderstand: QEMU 5.2
// and 7.2 take "on" for true, and drop lists without an error. [Read] returns the properties of a device that
// is there:
//
//	disk, err := device.Read[device.VirtioBlkPCI](ctx, c, "vd0")
//
// # JSON
//
// All types are plain structs for any JSON package, with the names that QEMU has. The driver is
// not in the JSON, and Props is an object of its own; [qapi.DeviceArgs] returns a device as it
// would be sent. [qapi.Text] prints one for people.
package device

import "github.com/goqapi/goqapi/qapi"

var _ qapi.Device = X86CPU{}
