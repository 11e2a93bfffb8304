package shell

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                                   nil,
		"  query-status \t":                  {"query-status"},
		"a b=c  d.0=e":                       {"a", "b=c", "d.0=e"},
		`a 'b c' "d \" e" f\ g`:              {"a", "b c", `d " e`, "f g"},
		`a b='c d'e`:                         {"a", "b=c de"},
		`a b:={"c": "d e"} f`:                {"a", `b:={"c": "d e"}`, "f"},
		`a b:="c d" e:=[1, 2]`:               {"a", `b:="c d"`, "e:=[1, 2]"},
		`a {"b": "} \" c"} d`:                {"a", `{"b": "} \" c"}`, "d"},
		`a b=c:={ d`:                         {"a", "b=c:={", "d"},
		`{"execute": "stop"}`:                {`{"execute": "stop"}`},
		`a ''`:                               {"a", ""},
		`human-monitor-command "info qtree"`: {"human-monitor-command", "info qtree"},
	} {
		words, err := split(line)
		assert.NoError(t, err, line)
		assert.Equal(t, want, texts(words), line)
	}
	for line, want := range map[string]error{
		`a 'b`: errQuote, `a "b`: errQuote, `a \`: errQuote, `a {"b"`: errMore, `a b:="c`: errMore, `a b:=[1,`: errMore, `{`: errMore,
	} {
		_, err := split(line)
		assert.ErrorIs(t, err, want, line)
	}
	words, _ := split(`abc  "d`)
	assert.Equal(t, []word{{"abc", 0}, {"d", 5}}, words)
}

// FuzzSplit splits any line. A word that was quoted is one word again.
func FuzzSplit(f *testing.F) {
	for _, line := range []string{"", "a b", `'a "b\ {c`, `a:={"b": [1, "]"]} c`, "{", "ü\xff"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words, err := split(line)
		end := -1
		for _, w := range words {
			require.Greater(t, w.from, end, "%q has the words %v", line, words)
			require.Less(t, w.from, len(line), "%q has the words %v", line, words)
			require.NotContains(t, blanks, line[w.from:w.from+1], "%q has the words %v", line, words)
			end = w.from
		}
		if err != nil {
			require.NotEmpty(t, words, "%q has the error %v", line, err)
		}
		if line == "" || strings.Contains(line, ":=") {
			return
		}
		words, err = split("x " + quote(line) + " y")
		require.NoError(t, err, "%q is quoted as %s", line, quote(line))
		require.Equal(t, []string{"x", line, "y"}, texts(words), "it is quoted as %s", quote(line))
	})
}
