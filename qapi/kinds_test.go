package qapi_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

func TestErrorKinds(t *testing.T) {
	refused := func(class, desc string) error { return &qmp.Error{Command: "x", Class: class, Desc: desc} }
	assert.True(t, qapi.IsNotFound(refused("DeviceNotFound", "")))
	assert.True(t, qapi.IsInUse(refused("GenericError", "Node a is in use")))
	assert.True(t, qapi.IsExists(refused("GenericError", "Duplicate node name")))
	assert.True(t, qapi.IsUnsupported(refused("CommandNotFound", "")))
	assert.False(t, qapi.IsUnsupported(refused("GenericError", "Node a is in use")))
}
