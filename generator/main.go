// The generator writes Go bindings for a QAPI schema:
//
//	go run github.com/goqapi/goqapi/generator -schema qapi/qapi-schema.json -package qapi -out ./qapi
//
// Several schemas, the oldest first, give bindings for all of them. With -known, the
// bindings are also for the older QEMU releases that this module knows.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/goqapi/goqapi/generator/generate"
)

func main() {
	err := generate.Run("generator", os.Args[1:], os.Stdout, os.Stderr)
	switch {
	case errors.Is(err, generate.ErrUsage):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
