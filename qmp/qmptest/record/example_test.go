package record_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

// A session is recorded once, and replayed as often as needed.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "record")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "boot.jsonl")

	boot := func(c *qapi.Client) { // the code under test
		if err := c.Cont(ctx); err != nil {
			fmt.Println(err)
			return
		}
		status, err := c.QueryStatus(ctx)
		fmt.Println(status.Status, err)
	}

	// Once: with a server, here a fake one.
	srv := qmptest.New()
	defer srv.Close()
	file, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	stream := record.Stream(srv.Pipe(), file)
	conn, err := qmp.NewConn(ctx, stream)
	if err != nil {
		log.Fatal(err)
	}
	boot(qapi.NewClient(conn))
	conn.Close()
	if err := stream.Close(); err != nil { // now the recording is complete
		log.Fatal(err)
	}
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}

	// Later: without a server. In a test this is session.Start(t, record.Options{}).
	session, err := record.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	player := session.Replay(record.Options{})
	conn, err = player.Dial(ctx)
	if err != nil {
		log.Fatal(err)
	}
	boot(qapi.NewClient(conn))
	conn.Close()
	fmt.Println(player.Close()) // nothing was not as recorded

	// Output:
	// running <nil>
	// running <nil>
	// <nil>
}
