package qapi_test

import (
	"testing"

	"github.com/goqapi/goqapi/schema/qemu"
)

// TestComplete compares what the bindings declare with the parsed schema.
func TestComplete(t *testing.T) { loadBindings(t).Complete(t) }

// TestAvailability compares what comments say about releases with each release.
func TestAvailability(t *testing.T) { loadBindings(t).Availability(t, qemu.QMP) }
