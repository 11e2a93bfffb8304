package arguments

import (
	"encoding/json"
	"fmt"
	"math/big"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// bounds are the least and the greatest value of an integer type.
type bounds struct{ low, high string }

var integers = map[schema.Builtin]bounds{
	schema.Int:    {"-9223372036854775808", "9223372036854775807"},
	schema.Int8:   {"-128", "127"},
	schema.Int16:  {"-32768", "32767"},
	schema.Int32:  {"-2147483648", "2147483647"},
	schema.Int64:  {"-9223372036854775808", "9223372036854775807"},
	schema.Uint8:  {"0", "255"},
	schema.Uint16: {"0", "65535"},
	schema.Uint32: {"0", "4294967295"},
	schema.Uint64: {"0", "18446744073709551615"},
	schema.Size:   {"0", "18446744073709551615"},
}

func isInteger(t schema.Builtin) bool { return integers[t].high != "" }

// builtin writes a value of a built-in type.
func (e *encoder) builtin(n *node, t schema.Builtin) {
	if t == schema.Any {
		e.any(n)
		return
	}
	if !e.leaf(n, "of the type "+string(t)) {
		return
	}
	switch {
	case t == schema.Str:
		e.text(n.text)
	case isInteger(t):
		e.integer(n, t)
	case t == schema.Bool:
		e.bool(n)
	case t == schema.Number:
		if !json.Valid([]byte(n.text)) || strings.Trim(n.text, "+-.0123456789eE") != "" {
			e.fail("%s=%s is not a number", n.word, start(n.text))
			return
		}
		e.out = append(e.out, n.text...)
	case t == schema.Null && n.text == "null":
		e.out = append(e.out, "null"...)
	case t == schema.Null:
		e.fail("%s=%s: it can only be null", n.word, start(n.text))
	default:
		e.text(n.text)
	}
}

// any writes a value that can be of any type: only JSON says which.
func (e *encoder) any(n *node) {
	if n.members != nil || n.private {
		e.untyped(n)
		return
	}
	quoted, _ := json.Marshal(n.text)
	if json.Valid([]byte(n.text)) {
		e.fail("%s can be of any type: write %s:=%s, or for text %s:='%s'", n.word, n.word, start(n.text), n.word, quoted)
		return
	}
	e.out = append(e.out, quoted...) // it is not JSON, so it can only be text
}

func (e *encoder) bool(n *node) {
	switch n.text {
	case "on", "true", "yes":
		e.out = append(e.out, "true"...)
	case "off", "false", "no":
		e.out = append(e.out, "false"...)
	default:
		e.fail("%s=%s: it must be on or off", n.word, start(n.text))
	}
}

// suffixes of integers are powers of 1024.
const suffixes = "KMGTPE"

// integer writes an integer: decimal, hexadecimal, or with a suffix.
func (e *encoder) integer(n *node, t schema.Builtin) {
	value, err := parseInteger(n.text)
	if err != nil {
		e.fail("%s=%s is not an integer, such as 4096, 0x1000 or 4K", n.word, start(n.text))
		return
	}
	limits := integers[t]
	low, _ := new(big.Int).SetString(limits.low, 10)
	high, _ := new(big.Int).SetString(limits.high, 10)
	if value.Cmp(low) < 0 || value.Cmp(high) > 0 {
		e.fail("%s=%s: it must be from %s to %s", n.word, start(n.text), limits.low, limits.high)
		return
	}
	e.out = value.Append(e.out, 10)
}

func parseInteger(text string) (*big.Int, error) {
	const most = 30 // digits; a number with more is too large
	shift, digits := uint(0), text
	if at := len(text) - 1; at > 0 && !strings.HasPrefix(text, "0x") {
		if i := strings.IndexByte(suffixes, text[at]&^0x20); i >= 0 {
			shift, digits = uint(10*(i+1)), text[:at]
		}
	}
	base := 10
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hex, 16
	}
	value, ok := new(big.Int).SetString(digits, base)
	if !ok || len(text) > most || strings.ContainsAny(digits, "_+") {
		return nil, fmt.Errorf("%q is not an integer", text)
	}
	return value.Lsh(value, shift), nil
}

// Size reads a number of bytes, such as 100M.
func Size(text string) (uint64, error) {
	n, err := parseInteger(text)
	if err != nil || !n.IsUint64() {
		return 0, fmt.Errorf("%q is not a number of bytes, such as 4096 or 100M", text)
	}
	return n.Uint64(), nil
}
