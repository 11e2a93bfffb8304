package codec

import (
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// AtMostOne returns what a call sends for arguments that can be left out: nothing, or the
// only element. If there are more, encoding fails, before anything is sent.
func AtMostOne[T any](args []T) any {
	switch len(args) {
	case 0:
		return nil
	case 1:
		return args[0]
	}
	return tooMany(len(args))
}

// tooMany is the number of arguments, which is more than one.
type tooMany int

func (n tooMany) err() error { return fmt.Errorf("%d structs of arguments, not one", int(n)) }

// MarshalJSON implements json.Marshaler.
func (n tooMany) MarshalJSON() ([]byte, error) { return nil, n.err() }

// MarshalJSONTo implements json.MarshalerTo of encoding/json/v2.
func (n tooMany) MarshalJSONTo(*jsontext.Encoder) error { return n.err() }
