package wiretest

import (
	"bytes"
	"io"
)

// WithID returns a reply, a line of JSON, with the number that its request has as its id, if
// it has one: for test servers that do not parse JSON.
func WithID(reply, request []byte) []byte {
	const member = `,"id":`
	at := bytes.LastIndex(request, []byte(member))
	if at < 0 {
		return reply
	}
	id := bytes.TrimSuffix(request[at+len(member):], []byte("}"))
	if len(id) == 0 || len(bytes.Trim(id, "0123456789")) > 0 {
		return reply
	}
	line := bytes.Clone(bytes.TrimSuffix(reply, []byte("}\r\n")))
	line = append(append(line, `, "id": `...), id...)
	return append(line, "}\r\n"...)
}

// Answer plays a QEMU on a stream until the other end closes it: it gives the same reply, a line of
// JSON, to each request, and allocates nothing for one without an id. Requests come one at a time.
func Answer(stream io.ReadWriteCloser, reply []byte) {
	defer stream.Close()
	_, err := io.WriteString(stream, `{"QMP": {"version": {"qemu": {"micro": 0, "minor": 1, "major": 11}, "package": ""}, "capabilities": []}}`+"\r\n")
	text := []byte("{\"return\": {}}\r\n") // to the negotiation
	for request := make([]byte, 64<<10); err == nil; text = reply {
		var n int
		if n, err = stream.Read(request); err == nil {
			_, err = stream.Write(WithID(text, request[:n]))
		}
	}
}
