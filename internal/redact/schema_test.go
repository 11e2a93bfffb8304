package redact

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// secretName matches names that look like those of secrets.
var secretName = regexp.MustCompile(`pass|secret|key|cookie|token|cred|phrase|private|b64|base64`)

// notSecret are the members, of everything or of one definition, whose names look like those of
// secrets although they are not secrets, each with the reason.
var notSecret = map[string]string{
	"cookie-secret":          "the id of a secret object",
	"key-secret":             "the id of a secret object",
	"new-secret":             "the id of a secret object",
	"old-secret":             "the id of a secret object",
	"password-secret":        "the id of a secret object",
	"proxy-password-secret":  "the id of a secret object",
	"passwordid":             "the id of a secret object",
	"keyid":                  "the id of a secret object",
	"tls-creds":              "the id of an object that has the credentials in files",
	"cookie64":               "whether a cookie is long",
	"key-offset":             "a place in an image",
	"keyslot":                "a number",
	"master-key-iters":       "a number",
	"host-key-check":         "how to check a public key",
	"author-key-enabled":     "whether there is a public key",
	"encryption_key_missing": "whether there is a key",
	"left-command-key":       "a key on a keyboard",
	"pass":                   "the number of a pass through memory",
	"pass-discard-other":     "whether to pass something on",
	"pass-discard-request":   "whether to pass something on",
	"pass-discard-snapshot":  "whether to pass something on",

	"QCryptoBlockAmendOptionsLUKS.secret": "the id of a secret object",
	"RockerOfDpaFlow.cookie":              "the number of a flow in a switch",
	"RockerOfDpaFlow.key":                 "what packets a flow takes",
}

// TestSchemas checks all members of all releases: a member whose name looks like that of a secret is
// in the table or in notSecret, and every member in the table exists.
func TestSchemas(t *testing.T) {
	there := map[string]bool{}
	for _, release := range qemu.Releases() {
		for _, root := range []string{qemu.QMP, qemu.QGA} {
			s, err := qemu.Load(release, root)
			require.NoError(t, err)
			for _, def := range s.Definitions() {
				members := membersOf(def)
				with := map[string]string{}
				for _, m := range members {
					with[m.Name] = ""
				}
				for _, m := range members {
					there[m.Name] = true
					if !secretName.MatchString(m.Name) || Holds(m.Name, isString(m.Type), with) {
						continue
					}
					name := m.Name
					if notSecret[name] == "" {
						name = def.Def().Name + "." + name
					}
					assert.NotEmpty(t, notSecret[name], "%s: %s (%s) is neither in the table of secrets nor among those that are none",
						release, name, m.Type.TypeName())
					there[name] = true
				}
			}
		}
	}
	for _, s := range secrets {
		assert.True(t, there[s.member], "the table has %s, which no release has", s.member)
		if s.with != "" {
			assert.True(t, there[s.with], "the table has %s, which no release has", s.with)
		}
	}
	for name, reason := range notSecret {
		assert.True(t, there[name] && reason != "", "no release needs the exception %s", name)
	}
}

func isString(t schema.Type) bool {
	if a, ok := t.(*schema.Array); ok {
		t = a.Elem
	}
	return t == schema.Type(schema.Str)
}

// membersOf are the members that a definition has itself.
func membersOf(def schema.Definition) []*schema.Member {
	var t schema.Type
	switch d := def.(type) {
	case *schema.Struct:
		return d.Members
	case *schema.Union:
		t = d.Base
	case *schema.Command:
		t = d.Args
	case *schema.Event:
		t = d.Data
	}
	if st, ok := t.(*schema.Struct); ok && st.Implicit {
		return st.Members
	}
	return nil
}

func TestHolds(t *testing.T) {
	for _, c := range []struct {
		member   string
		isString bool
		with     map[string]string
		want     bool
	}{
		{"password", true, nil, true},
		{"data", true, map[string]string{"qom-type": "secret"}, true},
		{"data", true, map[string]string{"qom-type": "iothread"}, false},
		{"data", true, map[string]string{"type": ""}, false},
		{"value", false, map[string]string{"property": ""}, true},
		{"cookie", true, nil, true},
		{"cookie", false, nil, false},
		{"file", true, nil, true},
		{"file", false, nil, false},
		{"node-name", true, nil, false},
	} {
		assert.Equal(t, c.want, Holds(c.member, c.isString, c.with), "%+v", c)
	}
}
