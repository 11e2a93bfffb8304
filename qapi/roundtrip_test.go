package qapi_test

import "testing"

// TestRoundTrip sends made-up values through everything that has a type.
func TestRoundTrip(t *testing.T) {
	// These two types are for what the schema does not contain.
	loadBindings(t).RoundTrips(t, nil, []string{"Unknown", "UnknownEvent"})
}

// TestAllTypes compares the table of types with the generated source. UPDATE=1 writes
// it again.
func TestAllTypes(t *testing.T) {
	loadBindings(t).AllTypes(t, "github.com/goqapi/goqapi/qapi")
}
