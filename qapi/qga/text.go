package qga

import (
	"log/slog"

	"github.com/goqapi/goqapi/qmp/redacted"
)

// Text returns a value of this package, or one that contains such values, as compact JSON
// for people. It follows pointers, and writes "[redacted]" in place of secrets: passwords,
// SSH keys, the arguments, environment, input and output of programs, and the contents of
// files. For an error it returns the text.
//
// Types that can hold a secret print in this way themselves, with the verbs %v, %+v, %s and
// %#v and with package log/slog, cut off after 64 KiB. Text is for values that Go prints in
// another way: pointers, unexported fields, and lists and structs of your own in a JSON
// log, since slog encodes the values in them as they would be sent.
func Text(v any) string { return redacted.Text(v) }

// args returns the arguments of the command that runs c.
func (c Command) args() GuestExecArgs {
	return GuestExecArgs{Path: c.Path, Arg: c.Args, Env: c.Env, InputData: c.Stdin, CaptureOutput: c.Capture}
}

// String returns what [Run] sends for c as JSON, without secrets.
func (c Command) String() string { return redacted.Short(c.args()) }

// GoString is like String, with the type's name.
func (c Command) GoString() string { return "qga.Command(" + c.String() + ")" }

// LogValue is like String, for package slog.
func (c Command) LogValue() slog.Value { return redacted.LogValue(c.args()) }
