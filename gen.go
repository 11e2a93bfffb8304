// Package goqapi holds no code: it is where the bindings of this module are
// generated from. The client is in [github.com/goqapi/goqapi/qapi], the guest agent's in
// [github.com/goqapi/goqapi/qapi/qga], and the devices are in
// [github.com/goqapi/goqapi/qapi/device].
//
// They are those of all releases that schema/qemu has. Bindings of your own take the same
// command with your package and folder, and -schema for the schema of your QEMU: alone, or
// with -known for the releases before it, too.
package goqapi

//go:generate go run ./generator -known -descriptions generator/descriptions/qmp -package qapi -out qapi
//go:generate go run ./generator -known -target qga -descriptions generator/descriptions/qga -package qga -out qapi/qga
//go:generate go run ./generator -devices -known -descriptions generator/descriptions/device -package device -out qapi/device
