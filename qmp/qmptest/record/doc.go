// Package record records what a client and a QEMU, or a guest agent, send to each
// other, and replays it in place of the QEMU:
//
//	conn, err := qmp.NewConn(ctx, record.Stream(socket, file)) // once, with a real QEMU
//
//	session, err := record.Open("testdata/hotplug.jsonl") // in the test, without QEMU
//	conn, err := session.Start(t, record.Options{}).Dial(ctx)
//
// # The file
//
// A recording is text with a JSON object in each line. The first is the header:
//
//	{"format":"qmp-record","version":1,"start":"2026-11-23T02:44:18Z"}
//
// Each further line is something that one side did. us is the time since the start, in
// microseconds:
//
//	{"us":412,"from":"server","message":{"QMP":{…}}}
//	{"us":530,"from":"client","message":{"execute":"qmp_capabilities"}}
//	{"us":611,"from":"server","noise":7}
//	{"us":902,"from":"server","end":"EOF"}
//
// message is the message, compact, with the ids of the client. noise counts bytes that are left out,
// because they are not a JSON object or cannot be searched for secrets. end is in the last line, and
// says who ended the session, and how. Members are in this order. Later versions of the format have
// another header.
//
// # Secrets
//
// Passwords, the data of secret objects, user and password in URLs, cookies, command lines,
// what is put into a guest or read from it, and the replies that show them do not reach the
// file: "[redacted]" stands where they were, in base64 where they were in base64. When the
// recording is replayed, "[redacted]" matches everything that a client sends in its place,
// and a client gets the text "[redacted]". Of the human monitor only info and help are recorded with
// their replies. What only the user knows to be secret, such as a name, is recorded.
package record
