package qapi

import "github.com/goqapi/goqapi/qmp/codec"

// Text returns any value of this package, or one that holds some, as JSON for people:
// compact, with what pointers point to, and without secrets, for which "[redacted]" stands.
// They are passwords, the contents of secret objects, user and password in URLs, cookies,
// command lines, what is put into a guest or read from it, and what is typed.
//
// Of an error it returns the text, without the secrets that a file name in it may show.
//
// Types that can hold a secret print in the same way by themselves, with the verbs %v, %+v,
// %s and %#v and in package log/slog; what is longer than 64 KiB is cut. Text is for what
// Go prints otherwise: pointers, unexported fields, and lists and structs of yours that are logged as JSON by
// slog, which encodes what is in them as it would be sent. A secret that is taken out of
// its type, such as the result of [Client.QOMGet], looks like any other text.
func Text(v any) string { return codec.Text(v) }
