package qapi_test

import "testing"

// TestComplete compares what the bindings declare with the parsed schema.
func TestComplete(t *testing.T) { loadBindings(t).Complete(t) }
