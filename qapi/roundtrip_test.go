package qapi_test

import "testing"

// TestRoundTrip sends made-up values through everything that has a type.
func TestRoundTrip(t *testing.T) {
	// Those two are for what the schema does not know.
	loadBindings(t).RoundTrips(t, nil, []string{"Unknown", "UnknownEvent"})
}

// TestAllTypes holds that the table of types is that of the generated source.
// UPDATE=1 writes it again.
func TestAllTypes(t *testing.T) {
	loadBindings(t).AllTypes(t, "github.com/goqapi/goqapi/qapi")
}
