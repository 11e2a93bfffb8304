// Package qga is the protocol of QEMU's guest agent, typed, as package
// [github.com/goqapi/goqapi/qapi] is QMP: a method for each command. It is
// generated from the schema of the newest release and talks to the agents of
// every release from 5.2 on.
//
//	c, err := qga.Dial(ctx, "unix:/run/vm/qga.sock")
//	…
//	defer c.Close()
//	host, err := c.GuestGetHostName(ctx)
//
// The socket is one that QEMU makes for the virtio-serial port of the agent. It
// can be connected to whether or not an agent runs in the guest: Dial fails with
// [qmp.ErrNoAgent] when none answers. Commands that stop the guest, such as
// [Client.GuestShutdown], are not answered when they succeed; they return when
// the agent goes away.
//
// Members that the agent has in base64 are strings as they come.
package qga
