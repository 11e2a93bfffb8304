//go:build goexperiment.jsonv2 && !go1.27

package codec

import "encoding/json/v2"

// useDefault says that a function for WithUnmarshalers has decoded nothing. Go 1.26
// has its own word for that.
var useDefault = json.SkipFunc
