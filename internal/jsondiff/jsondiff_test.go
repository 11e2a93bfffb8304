package jsondiff

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// between returns the differences between two texts, a line for each.
func between(t *testing.T, want, got string, accept func(string, any, any) bool) []string {
	t.Helper()
	w, err := Parse([]byte(want))
	require.NoError(t, err)
	g, err := Parse([]byte(got))
	require.NoError(t, err)
	var lines []string
	for _, d := range Between(w, g, accept) {
		lines = append(lines, fmt.Sprintf("%s: %s %s", d.Path, Text(d.Want), Text(d.Got)))
	}
	return lines
}

func TestBetween(t *testing.T) {
	for _, c := range []struct {
		want, got string
		lines     []string
	}{
		{`{"a":1,"b":[true,null]}`, `{"b":[true,null],"a":1}`, nil},
		{`{"a":1,"c":{"d":"<"}}`, `{"b":2,"c":{"d":"&"}}`, []string{"a: 1 nothing", "b: nothing 2", `c.d: "<" "&"`}},
		{`[1,[2]]`, `[1,[3,{}]]`, []string{"[1][0]: 2 3", "[1][1]: nothing {}"}},
		{`{"a":{}}`, `{"a":[]}`, []string{"a: {} []"}},
		{`{"a":1}`, `{"a":{"b":1}}`, []string{`a: 1 {"b":1}`}},
		{`1`, `"1"`, []string{`: 1 "1"`}},
		{`[1.0,1e2]`, `[1,100]`, nil},
		{`18446744073709551615`, `18446744073709551614`, []string{": 18446744073709551615 18446744073709551614"}},
	} {
		assert.Equal(t, c.lines, between(t, c.want, c.got, nil), "%s %s", c.want, c.got)
	}
}

func TestAccept(t *testing.T) {
	asked := func(path string, want, got any) bool { return path == "a" && want == "x" && got == Absent }
	assert.Equal(t, []string{`b: "x" nothing`}, between(t, `{"a":"x","b":"x"}`, `{}`, asked))
}

func TestSame(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{`{"a": "\u0062"}`, `{"a":"b"}`, true},
		{`{"a":1,"b":2}`, `{ "b": 2, "a": 1 }`, true},
		{`1`, `2`, false},
		{``, ``, true},
		{``, `1`, false},
		{`1 2`, `1`, false},
	} {
		assert.Equal(t, c.same, Same([]byte(c.a), []byte(c.b)), "%q %q", c.a, c.b)
	}
}
