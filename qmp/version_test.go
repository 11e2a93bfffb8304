package qmp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/qmp"
)

func TestVersionCompare(t *testing.T) {
	ordered := []qmp.Version{
		{Major: 5, Minor: 2}, {Major: 7, Minor: 1, Micro: 90}, {Major: 7, Minor: 2}, {Major: 7, Minor: 2, Micro: 1},
		{Major: 10}, {Major: 10, Minor: 2}, {Major: 11, Minor: 1, Micro: 3},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			b.Package = "Debian"
			assert.Equal(t, sign(i-j), a.Compare(b), "%v and %v", a, b)
		}
	}
	v := qmp.Version{Major: 7, Minor: 2, Micro: 1}
	assert.True(t, v.AtLeast(7, 2))
	assert.True(t, v.AtLeast(5, 2))
	assert.False(t, v.AtLeast(7, 3))
	assert.False(t, v.AtLeast(10, 0))
	assert.False(t, qmp.Version{Major: 7, Minor: 1, Micro: 90}.AtLeast(7, 2))
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	}
	return 0
}
