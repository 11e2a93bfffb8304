// Package qmp connects to servers of QMP, the QEMU Machine Protocol: QEMU
// itself, its storage daemon, and, without a greeting, its guest agent.
//
// A [Conn] issues commands, any number at a time, and delivers events. It knows
// the protocol, but not the commands: arguments and results are any values that
// can be encoded to and decoded from JSON. Package qapi has a method for each
// command on top of it; package raw takes and returns plain JSON.
//
//	c, err := qmp.Dial(ctx, "unix:/run/vm/qmp.sock")
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//
//	var status struct{ Status string `json:"status"` }
//	err = c.Execute(ctx, "query-status", nil, &status)
//
// # Contexts
//
// Every call that waits takes a context and returns when it ends. A command
// whose context ends before it was sent is not sent. One that was sent cannot
// be undone: its error wraps [ErrAbandoned], the server may have run it,
// its reply is dropped when it comes, and the connection stays open.
//
// # Events
//
// Events reach a [Subscription], which is read, or a handler, which is called.
// Each has an ordered queue of its own with a limit. A slow reader does not hold up
// the connection: a queue that is full loses its oldest events, and its
// reader gets an error that counts them ([OverflowError]).
package qmp
