package device

import (
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/qmp"
)

// Servers before 9.2 read numbers from text, and drop lists without an error.
func TestMismatchByRelease(t *testing.T) {
	const dropped = "cannot be a list: this server drops it without an error"
	old, strict := qmp.Version{Major: 9, Minor: 1}, qmp.Version{Major: 9, Minor: 2}
	for _, test := range []struct {
		typ, value string
		version    qmp.Version
		want       string
	}{
		{"list<uint32>", `[1]`, old, dropped},
		{"list<uint32>", `[1]`, strict, ""},
		{"uint32", `[1]`, old, dropped},
		{"uint32", `"0x10"`, old, ""},
	} {
		assert.Equal(t, test.want, mismatch("x", test.typ, jsontext.Value(test.value), test.version), "%+v", test)
	}
	assert.NotEmpty(t, mismatch("x", "uint32", jsontext.Value(`"0x10"`), strict))
	assert.NotEmpty(t, mismatch("x", "uint32", jsontext.Value(`[1]`), strict))
}
