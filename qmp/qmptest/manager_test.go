package qmptest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// changeDisc is part of a small VM manager: it changes the disc in cd0 while the guest is
// stopped.
func changeDisc(ctx context.Context, c *qapi.Client, file string) error {
	if err := c.Stop(ctx); err != nil {
		return err
	}
	err := c.BlockdevChangeMedium(ctx, qapi.BlockdevChangeMediumArgs{ID: new("cd0"), Filename: file})
	if goOn := c.Cont(ctx); err == nil {
		err = goOn
	}
	return err
}

// How a VM manager is tested: against the machine, once with a fault in it.
func TestChangeDisc(t *testing.T) {
	for _, release := range []string{"5.2", "11.1"} {
		srv := qmptest.Start(t, qmptest.Release(release))
		conn, err := srv.Dial(t.Context())
		require.NoError(t, err)
		c := qapi.NewClient(conn)
		defer c.Close()
		require.NoError(t, c.Cont(t.Context()))

		srv.Expect(
			qmptest.Step{Command: "stop"},
			qmptest.Step{
				Command:   "blockdev-change-medium",
				Arguments: qapi.BlockdevChangeMediumArgs{ID: new("cd0"), Filename: "new.iso"},
			},
			qmptest.Step{Command: "cont"},
		)
		require.NoError(t, changeDisc(t.Context(), c, "new.iso"))
		drives, err := c.QueryBlock(t.Context(), qapi.QueryBlockArgs{})
		require.NoError(t, err)
		assert.Equal(t, "new.iso", drives[0].Inserted.File)

		srv.Expect(
			qmptest.Step{Command: "stop"},
			qmptest.Step{Command: "blockdev-change-medium", Err: &qmp.Error{Class: qmp.ClassGenericError, Desc: "jammed"}},
			qmptest.Step{Command: "cont"},
		)
		assert.ErrorContains(t, changeDisc(t.Context(), c, "newer.iso"), "jammed")
		status, err := c.QueryStatus(t.Context())
		require.NoError(t, err)
		assert.True(t, status.Running)
	}
}

// TestJammedDisc is the test that README shows.
func TestJammedDisc(t *testing.T) {
	srv := qmptest.Start(t, qmptest.Release("7.2"))
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	c := qapi.NewClient(conn)

	require.NoError(t, changeDisc(t.Context(), c, "new.iso")) // your code
	drives, err := c.QueryBlock(t.Context(), qapi.QueryBlockArgs{})
	require.NoError(t, err)
	assert.Equal(t, "new.iso", drives[0].Inserted.File)

	// any command can be given another answer; what does not exist does not compile
	qmptest.Handle(srv, srv.Commands.BlockdevChangeMedium,
		func(context.Context, qapi.BlockdevChangeMediumArgs) error {
			return &qmp.Error{Class: qmp.ClassGenericError, Desc: "jammed"}
		})
	require.ErrorContains(t, changeDisc(t.Context(), c, "newer.iso"), "jammed")
	assert.Equal(t, 2, srv.Count("cont"), "the guest continues in spite of the error")
}

// A program that is not a test gets what went wrong when it closes the server.
func ExampleServer_Expect() {
	srv := qmptest.New(qmptest.Release("10.0"))
	srv.Expect(
		qmptest.Step{Command: "stop"},
		qmptest.Step{Command: "blockdev-change-medium", Err: &qmp.Error{Class: qmp.ClassGenericError, Desc: "the tray is jammed"}},
		qmptest.Step{Command: "cont"},
		qmptest.Step{Command: "query-status"},
	)
	ctx := context.Background()
	conn, err := srv.Dial(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(changeDisc(ctx, qapi.NewClient(conn), "new.iso"))
	conn.Close()
	fmt.Println(srv.Close())
	// Output:
	// qmp: blockdev-change-medium: the tray is jammed
	// qmptest: 1 of 4 expected commands have not come:
	// 	came   stop
	// 	came   blockdev-change-medium
	// 	came   cont
	// 	next   query-status
}
