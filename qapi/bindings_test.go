package qapi_test

import (
	"reflect"
	"testing"

	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/schema/qemu"
)

// loadBindings returns the package, with the schema that it is generated from.
func loadBindings(t testing.TB) wiretest.Bindings {
	t.Helper()
	return wiretest.Load(t, qemu.QMP, reflect.TypeFor[*qapi.Client](), allTypes)
}
