//go:build goexperiment.jsonv2 && !go1.27

package codec

import "encoding/json/v2"

// errUseDefault says that a function of WithUnmarshalers has decoded nothing, and lets
// the JSON module do it: in Go 1.26 with this experiment it has another name.
var errUseDefault = json.SkipFunc
