package job_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/cut"
	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// releases are the releases that the fake plays here.
var releases = []string{"5.2", "7.2", "10.0", "11.1"}

// onFake runs f against the fake of each release, in a bubble.
func onFake(t *testing.T, f func(t *testing.T, srv *qmptest.Server, c *qapi.Client)) {
	for _, release := range short.Ends(releases) {
		t.Run(release, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv := qmptest.Start(t, qmptest.Release(release))
				conn, err := srv.Dial(t.Context())
				require.NoError(t, err)
				t.Cleanup(func() { conn.Close() })
				f(t, srv, qapi.NewClient(conn))
			})
		})
	}
}

func TestOperationsWhoseConnectionIsCut(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, _ *qapi.Client) {
		cutEverywhere(t, cut.New(func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil }))
	})
}

// cutEverywhere runs each operation several times: at each message once, the connection is cut.
func cutEverywhere(t *testing.T, cutter *cut.Cutter) {
	c := cutter.Client(t)
	for _, op := range operations {
		cutter.Survived(t, c, op.Try, func(what string) { assert.Empty(t, leftovers(t, c, op.nodes), what) })
	}
}

func TestOperationsThatAreGivenUp(t *testing.T) {
	onFake(t, func(t *testing.T, srv *qmptest.Server, _ *qapi.Client) {
		giveUpEverywhere(t, cut.New(func(context.Context) (io.ReadWriteCloser, error) { return srv.Pipe(), nil }))
	})
}

// giveUpEverywhere runs each operation; ctx ends at each message.
func giveUpEverywhere(t *testing.T, cutter *cut.Cutter) {
	c := cutter.Client(t)
	for _, op := range operations {
		cutter.GivenUp(t, c, op.Try, func(what string, _ error) { assert.Empty(t, leftovers(t, c, op.nodes), what) })
	}
}
