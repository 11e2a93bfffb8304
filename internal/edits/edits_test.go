package edits

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"drive", "drive", 0},
		{"", "drive", 5},
		{"drive", "drve", 1},
		{"drive", "drives", 1},
		{"drive", "drire", 1},
		{"drive", "drvie", 1},
		{"drive", "netdev", 5},
	} {
		assert.Equal(t, c.want, Distance(c.a, c.b), "%s, %s", c.a, c.b)
		assert.Equal(t, c.want, Distance(c.b, c.a), "%s, %s", c.b, c.a)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"", "drive", "bus", "id", "detach"}
	for name, want := range map[string]string{"drvie": "drive", "dirve": "drive", "bsu": "bus", "i": "id", "netdev": "", "": "", "drives": "drive"} {
		assert.Equal(t, want, Nearest(name, names), name)
	}
	assert.Empty(t, Nearest("drive", nil))
}
