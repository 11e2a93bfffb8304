// Package qapi is QEMU's machine protocol, typed: a method for each command, a
// struct for each event, and Go types for all that they carry. It is generated
// from the QAPI schema of the newest QEMU release and drives every server from
// QEMU 5.2 on.
//
//	c, err := qapi.Dial(ctx, "unix:/run/vm/qmp.sock")
//	…
//	defer c.Close()
//	status, err := c.QueryStatus(ctx)
//
// # Names
//
// A name in the schema becomes Go's by its words: the command query-cpus-fast
// is [Client.QueryCPUsFast], its inline arguments would be QueryCPUsFastArgs;
// the event BLOCK_IO_ERROR is [BlockIOErrorEvent] and [Client.OnBlockIOError];
// the value io-error of the enum RunState is [RunStateIOError]. Each comment
// gives the schema's own name, so that a search for it finds the Go one.
//
// # Optional members
//
// An optional member is a pointer, nil if absent; new builds one in place:
//
//	qapi.EjectArgs{ID: new("cd0"), Force: new(true)}
//
// Lists and maps are absent when nil. An empty list that is not nil is sent.
//
// # Unions
//
// Where the members of an object depend on a tag, the field of the tag holds
// the variant, and the variant's type is the tag:
//
//	qapi.BlockdevOptions{
//		NodeName: new("disk0"),
//		Driver: qapi.BlockdevOptionsQcow2{
//			File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "vm.qcow2"}},
//		},
//	}
//
// A type switch tells the variants of what a server sent apart. It finds values,
// never pointers; [Unknown] is a variant that these bindings do not know.
//
// # Alternates
//
// Where a member can be of several JSON kinds, its type is an interface. A
// named type stands for itself, and [Str], [Null] and their like for bare JSON
// values:
//
//	qapi.BlockdevOptionsQcow2{File: qapi.Str("proto0"), Backing: qapi.Null{}}
//
// # Other releases
//
// Only what is set is sent. Members that a server does not send stay zero, and
// those that these bindings do not know are ignored. Enums, unions, events and
// error classes are open: an unknown one is passed on, not refused.
package qapi
