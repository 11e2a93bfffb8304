package codec

import (
	"errors"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// check refuses what the JSON module refuses, with the same place.
func TestCheck(t *testing.T) {
	for _, text := range []string{
		`{}`, ` [1, {"a": "b"}] `, `null`, "{\"a\": \"\xff\", \"a\": 1}\r\n",
		``, ` `, `{`, `{"a": }`, `{"a": [1, {"b": tru}]}`, `[1,]`, `[1 2]`, `"a`, `01`, `nul`, `{"a": 1}}`, `1 2`, `{} {}`, `[] x`,
	} {
		want := json.Unmarshal([]byte(text), new(jsontext.Value), lenient)
		got := check([]byte(text))
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
