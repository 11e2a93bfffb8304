package redact

import "slices"

// A secret is a row about a member that holds a secret. Members that only name a secret
// object, such as key-secret, do not hold one.
type secret struct {
	member string
	kind   kind

	// with, if set, is another member: only in an object that has it, too, is the first one a
	// secret. withValues, if set, are the values that the other member must have.
	with       string
	withValues []string
	// except are the first words of strings that are not secret.
	except []string

	reason string
}

// A kind is the form of a secret on the wire.
type kind int

const (
	value      kind = iota // any value, with all that is in it
	str                    // a string; a value of another kind under this name is not a secret
	base64Text             // a string in base64, which must stay valid where replies are decoded again
	part                   // a string that may contain a secret, which its form shows: see [Text]
)

// properties are those of QEMU's objects that hold a secret.
var properties = []string{"data", "password"}

// harmless are the commands of the human monitor that neither take nor show secrets.
var harmless = []string{"info", "help", "?"}

var secrets = []secret{
	// Passwords and keys.
	{member: "password", reason: "set_password, change-vnc-password, block_passwd and guest-set-user-password carry it"},
	{member: "data", with: "qom-type", withValues: []string{"secret"}, reason: "object-add gives the content of a secret object in it"},
	{member: "props", with: "qom-type", withValues: []string{"secret"}, reason: "object-add of QEMU 5.2 gives the content of a secret object in it"},
	{member: "value", with: "property", withValues: properties, reason: "qom-set can give such a property"},
	{member: "value", with: "name", withValues: properties, reason: "qom-list-get returns such a property"},
	{member: "arg", with: "target", withValues: []string{"password", "passwd"}, reason: "change, up to QEMU 5.2, sets the VNC server's password with it"},
	{member: "secret", with: "packet-header", reason: "sev-inject-launch-secret carries it"},
	{member: "cookie", kind: str, reason: "the cookies of a disk on a web server say who may read it; the cookie of a Rocker flow is a number"},
	{member: "txcookie", reason: "it authenticates the packets of an L2TPv3 network"},
	{member: "rxcookie", reason: "it authenticates the packets of an L2TPv3 network"},
	{member: "keys", reason: "the SSH keys of a guest's user, and what send-key types may be a password"},
	{member: "key", with: "down", reason: "input-send-event types it, which may be part of a password"},

	// Command lines, which often contain secrets.
	{member: "command-line", except: harmless, reason: "human-monitor-command passes on set_password, change and object_add"},
	{member: "arg", with: "path", reason: "guest-exec gives a program its arguments"},
	{member: "env", with: "path", reason: "guest-exec gives a program its environment"},
	{member: "args", with: "transport", withValues: []string{"exec"}, reason: "migrate runs a program with these arguments"},
	{member: "cpr-exec-command", reason: "migrate runs a new QEMU with these arguments"},
	{member: "guestfwd", reason: "its cmd: runs a program"},

	// Data that goes into a guest or comes from it.
	{member: "input-data", kind: base64Text, reason: "guest-exec gives it to a program that may ask for a password"},
	{member: "out-data", kind: base64Text, reason: "what a program in a guest prints may be the secret that it was asked for"},
	{member: "err-data", kind: base64Text, reason: "as out-data"},
	{member: "buf-b64", kind: base64Text, reason: "guest-file-read and guest-file-write carry the content of any file in it"},
	{member: "data", with: "device", reason: "ringbuf-write types it into a device"},

	// Texts with file names, which may be URLs or json: names with some of the above.
	{member: "filename", kind: part, reason: "the file of an image"},
	{member: "file", kind: part, reason: "the file of an image"},
	{member: "data-file", kind: part, reason: "the file of an image"},
	{member: "snapshot-file", kind: part, reason: "the file of an image"},
	{member: "backing-file", kind: part, reason: "the file of an image"},
	{member: "backing_file", kind: part, reason: "the file of an image"},
	{member: "backing-filename", kind: part, reason: "the file of an image"},
	{member: "full-backing-filename", kind: part, reason: "the file of an image"},
	{member: "target", kind: part, reason: "drive-mirror, drive-backup and change copy to this file"},
	{member: "top", kind: part, reason: "block-commit takes the file of an image"},
	{member: "base", kind: part, reason: "block-commit and block-stream take the file of an image"},
	{member: "url", kind: part, reason: "a disk on a web server; it may have a user and password"},
	{member: "uri", kind: part, reason: "migrate can run a program by it"},
	{member: "error", kind: part, reason: "errors quote the files of images"},
	{member: "error-desc", kind: part, reason: "errors quote the files of images"},
	{member: "msg", kind: part, reason: "errors quote the files of images"},
}

// needs reports whether a member of that name and value makes s a secret.
func (s *secret) needs(name string, value []byte) bool {
	return s.with != "" && s.with == name && (s.withValues == nil || slices.Contains(s.withValues, unquote(value)))
}

// Holds reports whether a member of an object can hold a secret. isString is true if it
// holds strings. others are the object's other members: their values where these are
// always the same, such as a union's tag, otherwise "".
func Holds(member string, isString bool, others map[string]string) bool {
	for i := range secrets {
		s := &secrets[i]
		if s.member != member || !isString && (s.kind == str || s.kind == part) {
			continue
		}
		if s.with == "" {
			return true
		}
		if tag, there := others[s.with]; there && (tag == "" || s.withValues == nil || slices.Contains(s.withValues, tag)) {
			return true
		}
	}
	return false
}
