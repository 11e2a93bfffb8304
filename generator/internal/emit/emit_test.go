package emit

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/goqapi/goqapi/generator/internal/plan"
)

// TestNoGo checks that the error for text that is not Go has one line, without the source.
func TestNoGo(t *testing.T) {
	_, err := Files(&plan.Package{Name: "two words", Dial: "Dial"})
	assert.EqualError(t, err, "client_gen.go is not valid Go: Error 3:13: expected ';', found words")
}
