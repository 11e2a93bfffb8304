// Command qapi is a tool for people who have a running QEMU: it finds QEMUs, queries,
// changes and watches them, and waits for events and jobs. It also works with QAPI schemas,
// and records sessions for tests. "qapi help" lists its commands.
package main

import (
	"os"

	"github.com/goqapi/goqapi/cmd/qapi/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:])) }
