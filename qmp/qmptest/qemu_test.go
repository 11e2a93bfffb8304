package qmptest_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// requests are sent one after the other, each followed by a marker.
var requests = []string{
	`{"execute":"query-name"}`,
	`{"execute":"qmp_capabilities","arguments":{"enable":["nope"]},"id":1}`,
	`{"execute":"qmp_capabilities","arguments":{"enable":["oob"]},"id":2}`,
	`{"execute":"qmp_capabilities","id":3}`,
	`{"execute":"query-name"}`,
	`{"execute":"query-name","arguments":{}}`,
	`{"execute":"query-name","id":null}`,
	`{"execute":"query-name","id":{"a":[1,true,"ü𝄞\u007f\b\/","{[\", "]}}`,
	`{"execute":"query-name","id":[[],{},[{}],{"a":[]}]}`,
	"{\n \"execute\" :\n\t\"query-name\",\n\"id\": 4 }",
	`{"id":5,"execute":"nope"}`,
	`{"execute":"nope"}`,
	`{"execute":5,"id":6}`,
	`{"id":7}`,
	`{}`,
	`{"execute":"query-name","exec-oob":"query-name","id":8}`,
	`{"execute":"query-name","extra":1,"id":9}`,
	`{"execute":"query-name","arguments":1,"id":10}`,
	`{"exec-oob":"nope","id":11}`,
	`["execute"]`,
	`{"execute":"query-name","id":12,"id":13}`,
	`{"execute":"query-name","id":}`,
	"{\"execute\":\"query-name\",\"id\":\"\xff\"}",
}

const marker = `{"execute":"query-name","id":"marker"}`

// transcript is what a server says to the requests: the greeting, then all that
// comes up to each marker. Descriptions and packages are left out, and so are
// repetitions: QEMU may find several errors in one bad message.
func transcript(t *testing.T, conn net.Conn) [][]string {
	t.Helper()
	var stream bytes.Buffer
	in := jsontext.NewDecoder(io.TeeReader(conn, &stream))
	free := regexp.MustCompile(`"(desc|package)": "([^"\\]|\\.)*"`)
	hear := func(until string) (said []string) {
		t.Helper()
		for last := ""; !strings.Contains(last, until); {
			text, err := in.ReadValue()
			require.NoError(t, err)
			if last = free.ReplaceAllString(string(text), `"$1": ""`); !slices.Contains(said, last) {
				said = append(said, last)
			}
		}
		return said
	}
	all := [][]string{hear(`"capabilities"`)}
	for _, request := range requests {
		_, err := io.WriteString(conn, request+marker)
		require.NoError(t, err)
		all = append(all, hear(`"marker"`))
	}
	assert.Equal(t, strings.Count(stream.String(), "\n"), strings.Count(stream.String(), "\r\n"))
	assert.True(t, strings.HasSuffix(stream.String(), "}\r\n"))
	return all
}

// TestQEMUSpeaks has the same dialogue with a real QEMU and with the fake one.
func TestQEMUSpeaks(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp"))
		require.NoError(t, err)
		defer conn.Close()
		for monitor, opts := range map[string][]qmptest.Option{"-qmp": nil, "-qmp-pretty": {qmptest.Pretty()}} {
			srv := qmptest.Start(t, append(opts, qmptest.Version(conn.Greeting().Version))...)
			srv.Reply("query-name")
			want, got := transcript(t, q.Start(t, monitor)), transcript(t, srv.Pipe())
			for i, request := range append([]string{"the greeting"}, requests...) {
				if diff := cmp.Diff(want[i], got[i]); diff != "" {
					t.Errorf("%s: %s (- QEMU, + fake):\n%s", monitor, request, diff)
				}
			}
		}
	})
}

// TestQEMUQuits compares the order of replies and events up to the end.
func TestQEMUQuits(t *testing.T) {
	const commands = `{"execute":"qmp_capabilities"}{"execute":"cont"}{"execute":"stop","id":1}{"execute":"quit"}`
	times := regexp.MustCompile(`"(seconds|microseconds)": \d+`)
	everything := func(t *testing.T, conn net.Conn) string {
		t.Helper()
		in := jsontext.NewDecoder(conn)
		_, err := in.ReadValue() // the greeting
		require.NoError(t, err)
		_, err = io.WriteString(conn, commands)
		require.NoError(t, err)
		said, err := io.ReadAll(io.MultiReader(bytes.NewReader(in.UnreadBuffer()), conn))
		require.NoError(t, err)
		return times.ReplaceAllString(string(said), `"$1": 0`)
	}
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp"))
		require.NoError(t, err)
		defer conn.Close()
		srv := qmptest.Start(t, qmptest.Version(conn.Greeting().Version))
		for command, event := range map[string]string{"cont": "RESUME", "stop": "STOP"} {
			srv.Handle(command, func(context.Context, *qmptest.Request) (any, error) {
				srv.Emit(event, nil)
				return nil, nil
			})
		}
		assert.Equal(t, everything(t, q.Start(t, "-qmp")), everything(t, srv.Pipe()))
		_, err = srv.Dial(t.Context())
		assert.Error(t, err, "it is gone")
	})
}
