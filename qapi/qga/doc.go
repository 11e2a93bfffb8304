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
// The socket is one that QEMU makes for the virtio-serial port of the agent.
//
// # Is anybody there?
//
// The socket opens, and takes commands, whether or not an agent runs in the
// guest. So Dial waits until one has answered, and fails with [qmp.ErrNoAgent]
// if none does in 10 s; [qmp.WithHandshakeTimeout] sets another limit. An agent
// that goes away later is not noticed: a call waits for it until its context
// ends. The next one after that asks first whether the agent is there, again
// with that limit. The client can be used on: when the agent is back, so are
// the calls.
//
// An agent does one thing at a time. What is slow, such as [Client.GuestFstrim],
// holds up all that comes after it.
//
// # No reply
//
// Agents do not answer [Client.GuestShutdown] and the commands to suspend when they
// succeed. [Shutdown] and [Suspend] return nil then: when the agent can no longer be
// expected to refuse. That the guest is down, or asleep, is for the events of the
// machine's monitor to say.
//
// # Bytes
//
// Members that the agent has in base64, such as the pieces of a file, are
// []byte here, and nobody needs to encode them.
//
// # In one go
//
// [Run] runs a program and returns what it wrote and how it ended; [OpenFile],
// [Download] and [Upload] move files; [WithFrozen] does something while the
// guest's file systems stand still, and thaws them whatever happens.
//
// # Trust
//
// A guest, and so its agent, can be in the hands of anybody. These functions check the
// counts, sizes and states that it says, and take what does not fit for an error; the
// content of files and of a program's output is as the guest wants it, and a file can
// be without end. After an error [qmp.MayHaveRun] reports whether the agent may have
// executed a command all the same.
package qga
