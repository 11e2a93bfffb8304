package versions

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCompare(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"5.2", "10.0", -1},
		{"10.2", "10.0", 1},
		{"7.2", "7.2", 0},
		{"7.2", "7.2.1", -1},
		{"7.2.0", "7.2", 0},
		{"0.14", "5.2", -1},
		{"", "5.2", -1},
	} {
		assert.Equal(t, c.want, Compare(c.a, c.b), "%s %s", c.a, c.b)
		assert.Equal(t, -c.want, Compare(c.b, c.a), "%s %s", c.b, c.a)
	}
}
