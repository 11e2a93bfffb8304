package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema/qemu"
)

// TestLongReplies fails for a row of the table that is no command of any
// release that replies with a list of structs.
func TestLongReplies(t *testing.T) {
	m := merged(t, qemu.QMP)
	p, err := Build(m, Options{Package: "p"})
	require.NoError(t, err)
	found := 0
	for _, c := range p.Commands {
		if !isLong(c) {
			continue
		}
		found++
		elem := c.Result.Elem.Struct
		if assert.NotNil(t, elem, c.QAPI) {
			assert.True(t, elem.Loop, c.QAPI)
		}
	}
	assert.Len(t, longReplies, found)
}
