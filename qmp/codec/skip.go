//go:build !goexperiment.jsonv2 || go1.27

package codec

import "errors"

// errUseDefault says that a function of WithUnmarshalers has decoded nothing, and lets
// the JSON module do it.
var errUseDefault = errors.ErrUnsupported
