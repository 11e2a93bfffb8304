// Package qga is the typed API of QEMU's guest agent, with a method for each command, as
// package [github.com/goqapi/goqapi/qapi] is for QMP. It is generated from the schemas of
// all releases from 5.2 on, and works with the agents of these releases.
//
//	c, err := qga.Dial(ctx, "unix:/run/vm/qga.sock")
//	…
//	defer c.Close()
//	host, err := c.GuestGetHostName(ctx)
//
// The socket is the one that QEMU makes for the virtio-serial port of the agent.
//
// # When no agent runs
//
// The socket can be opened, and accepts commands, whether or not an agent runs in the
// guest. Dial therefore waits until an agent has answered, and fails with
// [qmp.ErrNoAgent] if none answers within 10 s; [qmp.WithHandshakeTimeout] sets another
// limit. If an agent stops later, the client does not notice: a call waits for it until
// its context ends. The next call first checks whether the agent answers, again with
// that limit. The client can still be used: when the agent is back, calls work again.
//
// An agent executes one command at a time. A slow one, such as [Client.GuestFstrim],
// holds up all commands after it.
//
// # No reply
//
// Agents do not answer [Client.GuestShutdown] and the commands to suspend when they
// succeed. [Shutdown] and [Suspend] then return nil, when a refusal can no longer be
// expected. Events of the machine's monitor report that the guest has shut down, or
// sleeps.
//
// # Bytes
//
// Members that the agent sends or takes in base64, such as the pieces of a file, are []byte
// here: encoding is done for you.
//
// # Several commands in one call
//
// [Run] runs a program and returns what it wrote and how it ended; [OpenFile],
// [Download] and [Upload] move files; [WithFrozen] does something while the
// guest's file systems are frozen, and thaws them whatever happens.
//
// # Trust
//
// A guest, and with it its agent, may be under the control of anybody. These functions
// check the counts, sizes and states that an agent sends, and return an error if they do
// not make sense. The guest decides the content of files and of a program's output, and a
// file may be endless. After an error, [qmp.MayHaveRun] reports whether the agent may have
// executed the command.
package qga
