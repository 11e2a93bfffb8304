// Package libvirttest has a fake libvirt for tests, whose domains are the fakes of package
// qmptest, so that programs which use package libvirt can be tested without one:
//
//	vm := qmptest.Start(t)
//	d := libvirttest.Start(t)
//	d.Run("vm1", vm, nil)
//	h, err := libvirt.Dial(ctx, "qemu:///system", libvirt.WithDialer(d.Dial))
//
// It does what libvirt 9.0 does, as far as package libvirt uses it, with libvirt's limits and faults:
// it reads five calls of a client at a time, has 20 workers, executes one command of a monitor at a
// time, gives up a command that has waited for another for 30 s, waits without limit for a QEMU that does not
// answer ([Daemon.Hang]), and reads text that is not an object as the name of a command. [Daemon.Cut]
// breaks the connections, as a restart of libvirt does.
//
// Clients that connect with [Daemon.Dial] can be inside testing/synctest bubbles.
package libvirttest
