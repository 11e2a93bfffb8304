package wirejson

import (
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnquote(t *testing.T) {
	for quoted, want := range map[string]string{
		`""`:          "",
		`"SHUTDOWN"`:  "SHUTDOWN",
		`"a\"b\\c"`:   `a"b\c`,
		`"\u00e4"`:    "ä",
		"\"\\n\xff\"": "\n\ufffd",
		`1`:           "",
		`null`:        "",
		`"`:           "",
		``:            "",
	} {
		assert.Equal(t, want, string(Unquote([]byte(quoted))), quoted)
	}
}

func TestEnds(t *testing.T) {
	for text, want := range map[string]string{
		`"a", 1`:       `"a"`,
		`"a\"b": 1`:    `"a\"b"`,
		`"a\\": 1`:     `"a\\"`,
		`"a`:           `"a`,
		`"a\`:          `"a\`,
		`-1.5e3}`:      `-1.5e3`,
		`null]`:        `null`,
		"true\r\n":     `true`,
		`12`:           `12`,
		`""`:           `""`,
		`"}{][,:", []`: `"}{][,:"`,
	} {
		assert.Equal(t, want, text[:EndOfScalar([]byte(text), 0)], text)
	}
	assert.Equal(t, 3, EndOfScalar([]byte("abc"), 3))
}

func TestNesting(t *testing.T) {
	const text = `{"a": [1, "]}\"{", {"\\": {}}], "b\\": null}`
	var n Nesting
	var outside strings.Builder
	deepest := 0
	for i := range len(text) {
		if n.Next(text[i]) {
			outside.WriteByte(text[i])
		}
		deepest = max(deepest, n.Depth)
		assert.Equal(t, i < len(text)-1, n.Depth > 0, "byte %d", i)
	}
	assert.Equal(t, `{: [1, , {: {}}], : null}`, outside.String())
	assert.Equal(t, 4, deepest)
}

func TestLenient(t *testing.T) {
	var m struct {
		A string `json:"a"`
	}
	text := []byte("{\"a\":\"1\",\"a\":\"\xff\"}")
	require.Error(t, json.Unmarshal(text, &m))
	require.NoError(t, json.Unmarshal(text, &m, Lenient()))
	assert.Equal(t, "\ufffd", m.A)
}

// SyntaxError refuses what the JSON module refuses, with the same place.
func TestSyntaxError(t *testing.T) {
	for _, text := range []string{
		`{}`, ` [1, {"a": "b"}] `, `null`, "{\"a\": \"\xff\", \"a\": 1}\r\n",
		``, ` `, `{`, `{"a": }`, `{"a": [1, {"b": tru}]}`, `[1,]`, `[1 2]`, `"a`, `01`, `nul`, `{"a": 1}}`, `1 2`, `{} {}`, `[] x`,
	} {
		want := json.Unmarshal([]byte(text), new(jsontext.Value), Lenient())
		got := SyntaxError([]byte(text))
		if want == nil {
			require.NoError(t, got, text)
			continue
		}
		require.Error(t, got, text)
		wanted, _ := errors.AsType[*jsontext.SyntacticError](want)
		found, ok := errors.AsType[*jsontext.SyntacticError](got)
		require.True(t, ok, "%s: %v", text, got)
		assert.Equal(t, wanted.JSONPointer, found.JSONPointer, text)
	}
}
