package cli

import (
	_ "github.com/itchyny/gojq" // for --jq, which is not there yet
	_ "golang.org/x/term"       // the same for the shell
)
