// Onecall is a program with one command, to measure its size.
package main

import (
	"context"
	"fmt"
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
	status, err := c.QueryStatus(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.Status)
}
