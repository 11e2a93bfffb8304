// Package cmdline writes the arguments that a QEMU is started with, from the types that
// its monitor takes: a disk or a device is described once, whether it is there from the
// start or plugged in later.
//
//	cmd, err := cmdline.Command(ctx, "qemu-system-x86_64",
//		cmdline.Machine("q35", nil),
//		cmdline.Accel("kvm", nil),
//		cmdline.Memory(qapi.MemorySizeConfiguration{Size: new(uint64(2 << 30))}),
//		cmdline.Blockdev(qapi.BlockdevOptions{NodeName: new("disk0"), Driver: …}),
//		cmdline.Device(device.VirtioBlkPCI{ID: "vd0", Drive: "disk0"}),
//		cmdline.QMP(qmp.UnixAddr("/run/vm/qmp.sock")+",server=on,wait=off"),
//		cmdline.Text("-nodefaults", "-S"),
//	)
//
// [Args] returns the arguments only, for a release that is given.
//
// # Releases
//
// Options have the form that the release takes: JSON where it can be, which says exactly
// what the monitor would be sent, else key=value with the commas of values doubled. What
// the form at hand cannot express, such as a list for a device of QEMU 5.2, is an error.
// Whether the release has a device, a backend or a property at all is for QEMU to say.
//
// # Secrets
//
// Every user of the host can read the command lines of all processes. So passwords, keys and
// cookies are refused, those in URLs and in [Text] included. Let a secret object read the
// secret from a file, and name that object where there is a member for it, such as
// password-secret or key-secret:
//
//	cmdline.Object(qapi.ObjectOptions{ID: "pw0", QOMType: qapi.ObjectOptionsSecret{File: new("/run/vm/pw0")}})
//
// The file can be one that QEMU inherits, such as a pipe: /dev/fd/3 is the first of
// ExtraFiles of [os/exec.Cmd]. Or start QEMU with -S, and add the object or the block node over
// QMP before the guest runs. The data of a secret object that has a keyid is encrypted, and
// passes.
//
// What Args returns is a list of strings; what it does not let through can be appended to
// it, on the caller's own responsibility.
package cmdline
