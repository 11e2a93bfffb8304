package qapi

import "github.com/goqapi/goqapi/qmp/redacted"

// Text returns a value of this package, or one that contains such values, as compact JSON
// for people. It follows pointers, and writes "[redacted]" in place of secrets: passwords,
// the contents of secret objects, user and password in URLs, cookies, command lines, data
// that is written to a guest or read from it, and typed keys.
//
// For an error it returns the text, without the secrets that a file name in it may show.
//
// Types that can hold a secret print in this way themselves, with the verbs %v, %+v, %s and
// %#v and with package log/slog, cut off after 64 KiB. Text is for values that Go prints in
// another way: pointers, unexported fields, and lists and structs of your own in a JSON
// log, since slog encodes the values in them as they would be sent. A secret that was taken
// out of its type, such as the result of [Client.QOMGet], cannot be recognised.
func Text(v any) string { return redacted.Text(v) }
