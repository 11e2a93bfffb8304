package qga

import (
	"log/slog"

	"github.com/goqapi/goqapi/qmp/codec"
)

// Text returns any value of this package, or one that holds some, as JSON for people:
// compact, with what pointers point to, and without secrets, for which "[redacted]" stands.
// They are passwords, SSH keys, the arguments, environment, input and output of programs,
// and the contents of files. Of an error it returns the text.
//
// Types that can hold a secret print in the same way by themselves, with the verbs %v, %+v,
// %s and %#v and in package log/slog; what is longer than 64 KiB is cut. Text is for what
// Go prints otherwise: pointers, unexported fields, and lists and structs of yours that are logged as JSON by
// slog, which encodes what is in them as it would be sent.
func Text(v any) string { return codec.Text(v) }

// args are the arguments of the command that runs c.
func (c Command) args() GuestExecArgs {
	return GuestExecArgs{Path: c.Path, Arg: c.Args, Env: c.Env, InputData: c.Stdin, CaptureOutput: c.Capture}
}

// String is c as JSON, without secrets: of what [Run] sends.
func (c Command) String() string { return codec.Short(c.args()) }

// GoString is String with the type's name.
func (c Command) GoString() string { return "qga.Command(" + c.String() + ")" }

// LogValue is String for package slog.
func (c Command) LogValue() slog.Value { return codec.LogValue(c.args()) }
