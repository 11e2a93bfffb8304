package plan

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema/qemu"
)

// TestLongReplies fails for a row of the table that is no command of the newest
// release that replies with a list of structs.
func TestLongReplies(t *testing.T) {
	releases := qemu.Releases()
	s, err := qemu.Load(releases[len(releases)-1], qemu.QMP)
	require.NoError(t, err)
	p, err := Build(s, Options{Package: "p"})
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
