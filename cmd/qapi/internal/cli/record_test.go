package cli

import (
	"bytes"
	"context"
	"io"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/cmd/qapi/internal/exit"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

func TestRecord(t *testing.T) {
	srv := qmptest.Start(t)
	target, err := srv.Listen("tcp:127.0.0.1:0")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "session.jsonl")

	said, says := io.Pipe()
	var out bytes.Buffer
	done := make(chan int)
	go func() {
		a := &app{out: &out, errOut: says, finder: new(world)}
		done <- a.run(context.Background(), []string{"record", "tcp:127.0.0.1:0", target, file})
	}()
	line := make([]byte, 100)
	n, err := said.Read(line)
	require.NoError(t, err)
	at, found := bytes.CutPrefix(bytes.TrimSpace(line[:n]), []byte("waiting at tcp:"))
	require.True(t, found, "%s", line[:n])
	c, err := qapi.Dial(t.Context(), "tcp:"+string(at))
	require.NoError(t, err)
	version, err := c.QueryVersion(t.Context())
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Equal(t, exit.OK, <-done)

	session, err := record.Open(file)
	require.NoError(t, err)
	replayed, err := session.Start(t, record.Options{}).Dial(t.Context())
	require.NoError(t, err)
	defer replayed.Close()
	again, err := qapi.NewClient(replayed).QueryVersion(t.Context())
	require.NoError(t, err)
	require.Equal(t, version, again)
}
