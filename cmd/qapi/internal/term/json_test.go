package term

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// JSON keeps the value, and leaves no control sequences in it.
func TestJSON(t *testing.T) {
	in := "{\r\n\t\"a\":\"x\u009b1m\u202e\x7fä\ufffd\U000e0001\"}"
	out := string(JSON([]byte(in)))
	assert.Equal(t, "{\r\n\t\"a\":\"x\\u009b1m\\u202e\\u007fä\ufffd\\udb40\\udc01\"}", out)
	assert.JSONEq(t, in, out)
	assert.Equal(t, `"\ufffd\u001b"`, string(JSON([]byte("\"\xff\x1b\""))), "what is not UTF-8, or not JSON")
	assert.Empty(t, JSON(nil))
}
