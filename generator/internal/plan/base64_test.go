package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema/qemu"
)

// TestBase64 fails for a row of the table without a member in any release, and for such
// a member that is not []byte in Go.
func TestBase64(t *testing.T) {
	m := merged(t, qemu.QGA)
	p, err := Build(m, Options{Package: "p", Agent: true})
	require.NoError(t, err)
	found := map[memberOf]bool{}
	note := func(st *Struct) {
		for _, f := range st.Fields {
			if f.Type.Kind == Bytes {
				found[memberOf{st.QAPI, f.QAPI}] = true
				assert.False(t, f.Pointer(), "nil is absent")
			}
		}
	}
	for _, f := range p.Files {
		for _, decl := range f.Decls {
			switch d := decl.(type) {
			case *Struct:
				note(d)
			case *Command:
				if d.Own != nil {
					note(d.Own)
				}
			}
		}
	}
	for row, reason := range base64Members {
		assert.True(t, found[row], "%s of %s is not a member with bytes", row.member, row.definition)
		assert.NotEmpty(t, reason, row)
	}
	assert.Len(t, found, len(base64Members))
}

// TestBase64OfAgent checks that QMP's members with such names stay strings.
func TestBase64OfAgent(t *testing.T) {
	const text = `{ 'command': 'guest-file-write', 'data': { 'buf-b64': 'str' } }`
	p := build(t, text)
	assert.Equal(t, String, p.Commands[0].Own.Fields[0].Type.Kind)
	p, err := Build(single(load(t, text)), Options{Package: "p", Agent: true})
	require.NoError(t, err)
	assert.Equal(t, Type{Kind: Bytes, Name: "[]byte"}, p.Commands[0].Own.Fields[0].Type)
}
