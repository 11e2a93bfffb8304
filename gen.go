// Package goqapi holds no code: it is where the bindings of this module are
// generated from. The client is in [github.com/goqapi/goqapi/qapi], the guest agent's in
// [github.com/goqapi/goqapi/qapi/qga].
//
// Another release of QEMU takes other folders in the lines below; bindings of
// your own take the same command with your package and folder.
package goqapi

//go:generate go run ./generator -schema schema/qemu/11.1/qapi/qapi-schema.json -descriptions generator/descriptions/qmp -package qapi -out qapi
//go:generate go run ./generator -schema schema/qemu/11.1/qga/qapi-schema.json -target qga -descriptions generator/descriptions/qga -package qga -out qapi/qga
