// Package goqapi has no code: it has the commands that generate the bindings of this
// module. The client is in [github.com/goqapi/goqapi/qapi], the guest agent's in
// [github.com/goqapi/goqapi/qapi/qga], and the devices are in
// [github.com/goqapi/goqapi/qapi/device].
//
// The bindings are for all releases in schema/qemu. To generate your own, use the same
// command with your package and folder, and -schema for the schema of your QEMU; add -known
// for the releases before it.
package goqapi

//go:generate go run ./generator -known -descriptions generator/descriptions/qmp -package qapi -out qapi
//go:generate go run ./generator -known -target qga -descriptions generator/descriptions/qga -package qga -out qapi/qga
//go:generate go run ./generator -devices -known -descriptions generator/descriptions/device -package device -out qapi/device
