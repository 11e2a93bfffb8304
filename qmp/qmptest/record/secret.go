package record

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/redact"
)

// withoutSecrets is a message, compact and without its secrets; false if it cannot
// be searched for them.
func withoutSecrets(text []byte) ([]byte, bool) {
	text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	if !jsontext.Value(text).IsValid(jsontext.AllowDuplicateNames(true)) {
		return nil, false
	}
	return redact.JSON(text), true
}
