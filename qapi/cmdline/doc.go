// Package cmdline writes the arguments with which a QEMU is started, from the types that its
// monitor takes. The description of a disk or a device is the same for the command line and for
// plugging it in later.
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
// [Args] only returns the arguments, for a given release.
//
// # Releases
//
// Options have the form that the release takes: JSON where possible, exactly as it would be
// sent to the monitor, and otherwise key=value with the commas of values doubled. It is an error if
// that form cannot express something, such as a list for a device of QEMU 5.2.
// The package does not check whether the release has a device, a backend or a property; QEMU does.
//
// # Secrets
//
// Every user of the host can read the command lines of all processes. Passwords, keys and
// cookies are therefore refused, also in URLs and in [Text]. Let a secret object read the
// secret from a file, and set the member that refers to it, such as password-secret or
// key-secret, to the object's id:
//
//	cmdline.Object(qapi.ObjectOptions{ID: "pw0", QOMType: qapi.ObjectOptionsSecret{File: new("/run/vm/pw0")}})
//
// The file can be one that QEMU inherits, such as a pipe: /dev/fd/3 is the first of
// ExtraFiles of [os/exec.Cmd]. Or start QEMU with -S, and add the object or the block node over
// QMP before the guest runs. The data of a secret object with a keyid is encrypted, and
// is not refused.
//
// Args returns a list of strings: the caller can append an option that Args refuses.
package cmdline
