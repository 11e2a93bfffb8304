package qapi_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/schema"
)

// TestRoundTrip sends made-up values through the arguments and the result of
// every command and through every event, so often that each branch of each
// union and alternate has its turn.
func TestRoundTrip(t *testing.T) {
	b := loadBindings(t)
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(name string, of schema.Type, into reflect.Type, received bool) {
		seed := rng.Uint64()
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, optional := range []float64{0, 1, 0.5} {
				s := wiretest.Sampler{Rand: rand.New(rand.NewPCG(seed, 3)), Optional: optional, Digits: received}
				for range rounds(of) {
					text, err := json.Marshal(s.Sample(of))
					require.NoError(t, err)
					unknown := wiretest.RoundTrip(t, of, into, text)
					require.Empty(t, unknown)
				}
			}
		})
	}
	for _, def := range b.schema.Definitions() {
		switch d := def.(type) {
		case *schema.Command:
			m := b.commands[d.Name]
			if d.Args != nil && m.Args != nil {
				check(d.Name+" arguments", d.Args, m.Args, false)
			}
			if d.Returns != nil {
				check(d.Name+" reply", d.Returns, m.Result, true)
			}
		case *schema.Event:
			data := d.Data
			if data == nil {
				data = &schema.Struct{}
			}
			check(d.Name, data, b.events[d.Name], true)
		}
	}
}

// rounds is how many samples give every branch below a type its turn.
func rounds(t schema.Type) int {
	most := 4
	seen := map[schema.Type]bool{}
	var walk func(t schema.Type)
	walk = func(t schema.Type) {
		if t == nil || seen[t] {
			return
		}
		seen[t] = true
		switch t := t.(type) {
		case *schema.Array:
			walk(t.Elem)
		case *schema.Struct:
			for _, m := range t.AllMembers() {
				walk(m.Type)
			}
		case *schema.Union:
			most = max(most, len(t.Discriminator.Type.(*schema.Enum).Values))
			walk(t.Base)
			for _, br := range t.Branches {
				walk(br.Type)
			}
		case *schema.Alternate:
			for _, br := range t.Branches {
				walk(br.Type)
			}
		}
	}
	walk(t)
	return most
}
