package qapi_test

import (
	"os"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// release is the one that the bindings are generated from.
const release = "11.1"

// bindings are the generated package, with the schema that it comes from.
type bindings struct {
	schema   *schema.Schema
	commands map[string]wiretest.Method
	events   map[string]reflect.Type
}

func loadBindings(t testing.TB) bindings {
	t.Helper()
	fsys, err := qemu.FS(release)
	require.NoError(t, err)
	s, err := schema.Load(fsys, "qapi/qapi-schema.json")
	require.NoError(t, err)
	client := reflect.TypeFor[*qapi.Client]()
	commands, err := wiretest.Methods(client, os.DirFS("."))
	require.NoError(t, err)
	return bindings{s, commands, wiretest.Events(client)}
}

// command returns a command of the schema, or nil.
func (b bindings) command(name string) *schema.Command {
	c, _ := b.schema.Lookup(name).(*schema.Command)
	return c
}

func (b bindings) event(name string) *schema.Event {
	e, _ := b.schema.Lookup(name).(*schema.Event)
	return e
}
