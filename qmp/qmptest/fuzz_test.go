package qmptest_test

import (
	"io"
	"log"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// FuzzServer sends anything to a server and to an agent. None of this fails the test, except
// a command that only a handler of the test could execute.
func FuzzServer(f *testing.F) {
	for _, request := range append(append(requests, refusals...), agentRequests...) {
		f.Add([]byte(request))
	}
	f.Add([]byte(`{"execute":"blockdev-add","arguments":{"driver":"null-co","node-name":"a"}}` +
		`{"execute":"device_add","arguments":{"driver":"scsi-hd","id":"x","drive":"a"}}{"execute":"device_del","arguments":{"id":"x"}}` +
		`{"execute":"blockdev-del","arguments":{"node-name":"a"}}`))
	f.Add([]byte(`{"execute":"blockdev-create","arguments":{"job-id":"j","options":{"driver":"file","filename":"f","size":1}}}` +
		`{"execute":"query-jobs"}{"execute":"job-dismiss","arguments":{"id":"j"}}{"execute":"quit"}`))
	f.Add([]byte(`{"execute":"query-memory-size-summary"}`)) // which nothing executes here
	log.SetOutput(io.Discard)                                // a server says there what it says at its end
	f.Cleanup(func() { log.SetOutput(os.Stderr) })
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, srv := range []*qmptest.Server{qmptest.New(), qmptest.New(qmptest.Release("5.2")), qmptest.NewAgent()} {
			conn := srv.Pipe()
			heard := make(chan struct{})
			go func() {
				defer close(heard)
				_, _ = io.Copy(io.Discard, conn) // the end of the connection, however it comes
			}()
			for _, part := range []string{`{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}`, string(text), "\n"} {
				_, _ = io.WriteString(conn, part) // it may quit
			}
			conn.Close()
			<-heard
			for _, err := range mistakes(srv.Close()) {
				require.ErrorContains(t, err, "nothing executes ", "%q", text)
			}
		}
	})
}

// mistakes returns the mistakes of the test that a server reports, one by one.
func mistakes(err error) []error {
	if err == nil {
		return nil
	}
	return err.(interface{ Unwrap() []error }).Unwrap()
}

// A flood of events reaches the clients that read, and a client that does not read does not delay them.
func TestFloodDoesNotHoldUpOthers(t *testing.T) {
	t.Parallel()
	for range 20 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			srv := qmptest.Start(t)
			at, err := srv.Listen("tcp:127.0.0.1:0")
			require.NoError(t, err)
			c, err := qapi.Dial(t.Context(), at)
			require.NoError(t, err)
			defer c.Close()
			idle := srv.Pipe()
			defer idle.Close()
			srv.Flood(1000, qapi.StopEvent{})
			require.NoError(t, c.Cont(t.Context()))
		})
	}
}
