package plan

import "github.com/goqapi/goqapi/schema"

// base64Members are the members of the guest agent's schema that are strings with bytes in
// base64, each with the reason, since the schema does not show it. Their Go type is
// []byte, which is base64 in JSON. QMP has similar members, but there another member, or
// the user, chooses the encoding.
var base64Members = map[memberOf]string{
	{"GuestFileRead", "buf-b64"}:            "a piece of a file, which need not be text",
	{"guest-file-write", "buf-b64"}:         "a piece of a file, which need not be text",
	{"guest-exec", "input-data"}:            "a program reads any bytes",
	{"GuestExecStatus", "out-data"}:         "a program writes any bytes",
	{"GuestExecStatus", "err-data"}:         "a program writes any bytes",
	{"guest-set-user-password", "password"}: "a password is in the guest's encoding, or is its hash",
}

// A memberOf is a member of a definition, or of its inline arguments.
type memberOf struct{ definition, member string }

// isBase64 reports whether a member holds bytes in base64.
func (b *builder) isBase64(owner schema.Definition, m *schema.Member) bool {
	_, ok := base64Members[memberOf{owner.Def().Name, m.Name}]
	return ok && b.agent && m.Type == schema.Type(schema.Str)
}
