// Arguments is a program with one command that has arguments, to measure its size.
package main

import (
	"context"
	"log"
	"os"

	"github.com/goqapi/goqapi/qapi"
)

func main() {
	ctx := context.Background()
	c, err := qapi.Dial(ctx, os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Eject(ctx, qapi.EjectArgs{ID: new("cd0")}); err != nil {
		log.Fatal(err)
	}
}
