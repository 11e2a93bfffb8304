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

func TestRelease(t *testing.T) {
	for version, want := range map[string]string{"10.0.13": "10.0", "11.1": "11.1", "9": "9", "": "", "10.1.0-rc1": "10.1"} {
		assert.Equal(t, want, Release(version), version)
	}
	major, minor := Numbers("10.2.1")
	assert.Equal(t, []int{10, 2}, []int{major, minor})
}

func TestAround(t *testing.T) {
	known := []string{"5.2", "7.2", "10.0", "11.1"}
	for version, want := range map[string][]string{
		"5.2": {"5.2"}, "6.1": {"5.2", "7.2"}, "8.2": {"7.2", "10.0"}, "10.2": {"10.0", "11.1"}, "12.0": {"11.1"}, "4.0": {"5.2"},
	} {
		assert.Equal(t, want, Around(version, known), version)
	}
	assert.Empty(t, Around("5.2", nil))
}
