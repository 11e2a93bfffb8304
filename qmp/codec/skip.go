//go:build !goexperiment.jsonv2 || go1.27

package codec

import "errors"

// errUseDefault is returned by a function of WithUnmarshalers that leaves decoding to the
// JSON module.
var errUseDefault = errors.ErrUnsupported
