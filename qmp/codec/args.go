package codec

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// AtMostOne is what a call sends of arguments that can be left out: nothing, or the one
// that there is. More than one fail when they are encoded, before anything is sent.
func AtMostOne[T any](args []T) any {
	switch len(args) {
	case 0:
		return nil
	case 1:
		return args[0]
	}
	return tooMany(len(args))
}

// tooMany is how many arguments there are.
type tooMany int

func (n tooMany) err() error { return fmt.Errorf("%d structs of arguments, not one", int(n)) }

// MarshalJSON implements json.Marshaler.
func (n tooMany) MarshalJSON() ([]byte, error) { return nil, n.err() }

// MarshalJSONTo implements json.MarshalerTo of encoding/json/v2.
func (n tooMany) MarshalJSONTo(*jsontext.Encoder) error { return n.err() }
