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
// [Client.GuestShutdown] and the commands to suspend are not answered when they
// succeed. They return nil when the connection ends, and otherwise wait for a
// refusal until their context ends: give it a few seconds, take
// [context.DeadlineExceeded] for success, and let the events of the machine's
// monitor tell what has come of it.
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
package qga
