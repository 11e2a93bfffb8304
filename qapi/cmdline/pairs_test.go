package cmdline

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	for text, want := range map[string][]pair{
		"":             nil,
		"a":            {{"", "a"}},
		"a,b=c":        {{"", "a"}, {"b", "c"}},
		"a,,b=c,d":     {{"", "a,b=c"}, {"", "d"}},
		"k=a,,b,l=":    {{"k", "a,b"}, {"l", ""}},
		"k=a=b":        {{"k", "a=b"}},
		"k=,,,l=,,":    {{"k", ","}, {"l", ","}},
		"k=x,":         {{"k", "x"}},
		"k=\nx,l=,,,,": {{"k", "\nx"}, {"l", ",,"}},
	} {
		assert.Equal(t, want, split(text), "%q", text)
	}
}

// FuzzPairs writes texts as pairs and reads them again.
func FuzzPairs(f *testing.F) {
	f.Add("a,b", "c=d", int64(-1), true)
	f.Add(",", ",,", int64(1<<62), false)
	f.Add("\n", "=", int64(0), true)
	f.Add("", "\\\"", int64(0), true)
	f.Fuzz(func(t *testing.T, a, b string, n int64, on bool) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) {
			return
		}
		object, err := json.Marshal(map[string]any{"l": []any{a, map[string]any{"x": b}}, "n": n, "on": on, "s": a + b}, json.Deterministic(true))
		require.NoError(t, err)
		pairs, err := flatten(object, dotted)
		require.NoError(t, err)
		state := map[bool]string{true: "on", false: "off"}[on]
		number, err := json.Marshal(n)
		require.NoError(t, err)
		want := []pair{{"l.0", a}, {"l.1.x", b}, {"n", string(number)}, {"on", state}, {"s", a + b}}
		require.Equal(t, want, pairs)

		text, err := join("first", pairs)
		require.NoError(t, err)
		require.Equal(t, append([]pair{{"", "first"}}, want...), split(text))
	})
}

// FuzzText checks that no text is accepted that has a secret in a place where QEMU reads one.
func FuzzText(f *testing.F) {
	f.Add("vnc", "geheim")
	f.Add("a=b,c", "ge,heim")
	f.Add("--password", "geheim")
	f.Add("--a=b", "geheim")
	f.Add("a://b=c", "geheim")
	f.Fuzz(func(t *testing.T, before, secret string) {
		if secret == "" || secret == "on" || secret == "off" || strings.HasPrefix(before, "{") || strings.ContainsRune(before+secret, 0) {
			return
		}
		text := Escape(before) + ",password=" + Escape(secret)
		assert.Error(t, checkText("-spice", text), "%q", text)
	})
}
