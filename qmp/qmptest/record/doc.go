// Package record records what a client and a QEMU, or a guest agent, say to each
// other, and replays it in the place of the QEMU:
//
//	conn, err := qmp.NewConn(ctx, record.Stream(socket, file)) // once, with a real QEMU
//
//	session, err := record.Open("testdata/hotplug.jsonl") // in the test, without
//	conn, err := session.Start(t, record.Options{}).Dial(ctx)
//
// # The file
//
// A recording is text, one JSON object a line. The first is the header:
//
//	{"format":"qmp-record","version":1,"start":"2026-11-23T02:44:18Z"}
//
// Each further line is something that one side did, us microseconds after the start:
//
//	{"us":412,"from":"server","message":{"QMP":{…}}}
//	{"us":530,"from":"client","message":{"execute":"qmp_capabilities"}}
//	{"us":611,"from":"server","noise":7}
//	{"us":902,"from":"server","end":"EOF"}
//
// message is what was said, compact, with the ids that the client gave. noise counts
// bytes that are no JSON object, or none that could be searched for secrets; they are
// left out. end is the last line, and says who ended the session, and how. Members
// are in this order. Lines of a later version of the format have another header.
//
// # Secrets
//
// Passwords, the data of secret objects, user and password in URLs, cookies, command
// lines, what is put into a guest or read from it, and the replies that show them do not
// reach the file: "[redacted]" stands where they were, in base64 where they were in base64.
// When the recording is replayed, it equals whatever the client says there, and the client
// is told it. Of the human monitor only info and help are recorded with their replies. What
// only the user knows to be secret, such as a name, is recorded.
package record
