//go:build !goexperiment.jsonv2 || go1.27

package codec

import "errors"

// useDefault says that a function for WithUnmarshalers has decoded nothing.
var useDefault = errors.ErrUnsupported
