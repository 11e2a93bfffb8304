package merge

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestTables holds that each row has its reason. That QEMU's releases need each is
// tested in package qemu, which has them.
func TestTables(t *testing.T) {
	for at, d := range decisions {
		assert.NotEmpty(t, d.is, at)
		assert.NotEmpty(t, d.why, at)
	}
	for at, why := range always {
		assert.NotEmpty(t, why, at)
	}
}
