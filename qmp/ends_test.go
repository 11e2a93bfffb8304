package qmp

import (
	"net"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp/internal/wire"
)

// FuzzEnds compares the two ways to read a reply. If a reply is recognised by the two ends of
// its line, and its result is one value, the scanner finds the same value and id. If the result is
// not one value, the caller gets what the scanner finds.
func FuzzEnds(f *testing.F) {
	for _, line := range []string{
		`{"return": {}}`, `{"return": {}, "id": 1}`, `{"return": "c0", "id": 1, "x": 1}`,
		`{"return": {}, "x": {}, "id": 1}`, `{"return": {}, "id": 1, "x": {"id": 2}}`, `{"return": [1], "x": [2]}`,
		`{"return": "a", "x": "b"}`, `{"return": "a\", \"id\": 7"}`, `{"return": {} , "id": 7}`, `{"return":  5, "id": 7}`,
		`{"return": {}}{"return": {}, "id": 2}`, `{"return": -1.5e3}`, `{"return": inf, "id": 3}`, `{"return": , "id": 3}`,
		`{"return": {"id": 1}, "id": 0}`, `{"return": {"a": {}, "id": 12}}`, `{"return": "}", "id": 5}`, `{"return": {}, "id": 18446744073709551616}`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") {
			return
		}
		m, err := wire.NewFramer(strings.NewReader(line+"\n"), 1<<20).Next()
		if err != nil || !m.ByEnds {
			return
		}
		value, id := string(m.Members[wire.Return]), string(m.Members[wire.ID])
		scanned := *m
		whole := scanned.Scan()
		if one := jsontext.Value(value); one.IsValid(wirejson.Lenient()) {
			got, gotID := string(scanned.Members[wire.Return]), string(scanned.Members[wire.ID])
			assert.True(t, whole)
			assert.Equal(t, strings.TrimSpace(value), strings.TrimSpace(got), "the value by the ends, and by scanning %q", line)
			assert.Equal(t, id, gotID, "the id by the ends, and by scanning %q", line)
			return
		}
		// Not one value: the caller must get what the scanner finds, or an error.
		ours, _ := net.Pipe()
		s := newSession(ours, newCore(newOptions(nil)))
		c := &call{command: "x", number: ownNumber([]byte(id)), line: m.Text, answer: m.Members[wire.Return]}
		var got jsontext.Value
		err = s.store(t.Context(), c, reflected(&got))
		want := jsontext.Value(scanned.Members[wire.Return])
		if err != nil {
			return
		}
		assert.True(t, whole, "%q gives %q, want %q", line, got, want)
		assert.Equal(t, string(want), string(got), "what %q gives", line)
		if found := scanned.Members[wire.ID]; found != nil {
			assert.Equal(t, ownNumber(found), c.number, "the number of the call that %q is given to", line)
		}
	})
}
