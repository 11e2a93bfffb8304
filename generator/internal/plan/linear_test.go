package plan

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/growth"
)

// TestLinear plans schemas with many definitions of one kind.
func TestLinear(t *testing.T) {
	list := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i, i+1)
		}
		return b.String()
	}
	for name, c := range map[string]struct {
		n    int
		text func(n int) string
	}{
		"branches": {10000, func(n int) string {
			return "{ 'enum': 'En', 'data': [ " + list(n, "'v%[1]d',") + " 'last' ] } { 'struct': 'St', 'data': {} }\n" +
				"{ 'union': 'Un', 'base': { 't': 'En' }, 'discriminator': 't', 'data': { " + list(n, "'v%[1]d': 'St',") + " 'last': 'St' } }"
		}},
		"members that hold members": {10000, func(n int) string {
			return list(n, "{ 'struct': 'St%d', 'data': { 'm': 'St%d' } }\n") + fmt.Sprintf("{ 'struct': 'St%d', 'data': {} }", n)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			growth.Linear(t, c.n, func(n int) func() {
				s := load(t, c.text(n))
				return func() {
					_, err := Build(single(s), Options{Package: "p", Schema: "a test"})
					require.NoError(t, err)
				}
			})
		})
	}
}
