package wiretest

import "bytes"

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
