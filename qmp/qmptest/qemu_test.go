package qmptest_test

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/goqapi/goqapi/qapi"
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
	`{"execute":"query-name","arguments":{"a":1,"a":2}}`,
	`{"execute":"query-name","id":01}`,
	`{"execute":"query-name","id":1.}`,
	`{"execute":"query-name","id":nul}`,
	`{"execute":"query-name","id":"\q"}`,
	"{\"execute\":\"query-name\",\"id\":\"a\x01\"}",
	`{"execute":"query-name","id":"\ud800"}`,
	`{"execute":"query-name","id":[` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `]}`,
	`{"execute":"query-name","id":[18446744073709551615,-9223372036854775808,9223372036854775808,1.5]}`,
	`{"execute":"query-name","":1}`,
	`{"execute":"query-name","arguments":null}`,
	`{"execute":null}`,
	`{"execute":""}`,
	`{"id":{"execute":"query-name"}}`,
	"{\"execute\":\"query-name\",\"id\":\"\xff\"}",
}

const marker = `{"execute":"query-name","id":"marker"}`

// transcript returns the answers of a server to the requests: the greeting, then all messages
// up to each marker. Descriptions and packages are left out, and so are
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
				assert.Empty(t, cmp.Diff(want[i], got[i]), "%s: %s: - QEMU, + fake", monitor, request)
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
		for command, event := range map[string]qapi.Event{"cont": qapi.ResumeEvent{}, "stop": qapi.StopEvent{}} {
			srv.Handle(command, func(context.Context, *qmptest.Request) (any, error) {
				srv.Emit(event)
				return nil, nil
			})
		}
		assert.Equal(t, everything(t, q.Start(t, "-qmp")), everything(t, srv.Pipe()))
		_, err = srv.Dial(t.Context())
		assert.Error(t, err, "it is gone")
	})
}

// refusals are requests that no release executes. Descriptions are not all the same
// in all releases.
var refusals = []string{
	`{"execute":"nope"}`,
	`{"exec-oob":"nope"}`,
	`{"exec-oob":"query-status"}`,
	`{"execute":"query-stats","arguments":{"target":"vcpu","vcpus":5}}`,
	`{"execute":"migrate_set_speed","arguments":{"value":"x"}}`,
	`{"execute":"dump-skeys"}`,
	`{"execute":"query-status","arguments":{"a":1}}`,
	`{"execute":"qmp_capabilities"}`,

	`{"execute":"device-list-properties"}`,
	`{"execute":"device-list-properties","arguments":{"typename":5}}`,
	`{"execute":"device-list-properties","arguments":{"typename":null}}`,
	`{"execute":"device-list-properties","arguments":{"typename":["x"]}}`,
	`{"execute":"device-list-properties","arguments":{"typename":"x","extra":1}}`,
	`{"execute":"human-monitor-command","arguments":{"command-line":"info status","cpu-index":"x"}}`,
	`{"execute":"set_password","arguments":{"protocol":5,"password":"a"}}`,
	`{"execute":"block_set_io_throttle","arguments":{"bps":1}}`,
	`{"execute":"qom-set","arguments":{"path":"/machine","property":"nope"}}`,
	`{"execute":"add-fd","arguments":{"fdset-id":1.0}}`,
	`{"execute":"balloon","arguments":{"value":0.0}}`,
	`{"execute":"migrate-set-parameters","arguments":{"tls-creds":5}}`,
	`{"execute":"migrate-set-parameters","arguments":{"vcpu-dirty-limit":"x"}}`,
	`{"execute":"migrate-set-parameters","arguments":{"xbzrle-cache-size":"1M"}}`,

	`{"execute":"netdev_add","arguments":{"type":"nope","id":"a"}}`,
	`{"execute":"netdev_add","arguments":{"type":"user","id":"a","x":1}}`,
	`{"execute":"netdev_add","arguments":{"id":"a"}}`,
	`{"execute":"object-add","arguments":{"id":"a"}}`,
	`{"execute":"device_add"}`,
	`{"execute":"device_add","arguments":{"driver":null}}`,

	`{"execute":"blockdev-add","arguments":{"driver":"nope","zzz":1}}`,
	`{"execute":"blockdev-add","arguments":{"node-name":5,"driver":"nope"}}`,
	`{"execute":"blockdev-add","arguments":{"node-name":"a"}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"null-co","read-zeroes":"x","size":"y"}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"null-co","size":1.5}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"null-co","size":1e6}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"null-co","size":null}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"null-co","size":9223372036854775808}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"null-co","size":-9223372036854775809}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"null-co","cache":{"direct":1}}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"null-co","cache":{"dirct":true}}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"null-co","discard":"x"}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"raw","file":5}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"raw","file":{}}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"raw","file":{"driver":"file"}}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"quorum","vote-threshold":1,"children":5}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"quorum","vote-threshold":1,"children":[5]}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"quorum","vote-threshold":1,"children":[{"driver":"nope"}]}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"blkdebug","image":"x","inject-error":[7]}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"blkdebug","image":"x","inject-error":[{"even":"none"}]}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"blkdebug","image":"x","inject-error":[{"event":"none","iotype":"bad"}]}}`,
	`{"execute":"blockdev-add","arguments":{"driver":"blkdebug","image":"x","inject-error":[{"event":"none","errno":true}]}}`,
	`{"execute":"chardev-add","arguments":{"id":"a","backend":5}}`,
	`{"execute":"chardev-add","arguments":{"id":"a","backend":{"type":"nope","data":{}}}}`,
	`{"execute":"chardev-add","arguments":{"id":"a","backend":{"type":"null"}}}`,
	`{"execute":"chardev-add","arguments":{"id":"a","backend":{"type":"null","data":{"x":1}}}}`,
	`{"execute":"send-key","arguments":{"keys":[{"type":"number","data":"1"}]}}`,
	`{"execute":"input-send-event","arguments":{"events":[{"type":"key","data":{"down":true}}]}}`,
	`{"execute":"transaction","arguments":{"actions":[{"type":"abort","data":{"x":1}}]}}`,
	`{"execute":"transaction","arguments":{"actions":[{"type":"abort"}]}}`,
	`{"execute":"migrate-set-capabilities","arguments":{"capabilities":{}}}`,
	`{"execute":"migrate-set-capabilities","arguments":{"capabilities":[["x"]]}}`,
	`{"execute":"migrate-set-capabilities","arguments":{"capabilities":[{"capability":5,"state":true}]}}`,
	`{"execute":"migrate","arguments":{"channels":[{"channel-type":"main","addr":{"transport":"socket"}}]}}`,

	`{"execute":"block-set-write-threshold","arguments":{"node-name":"n","write-threshold":18446744073709551616}}`,
	`{"execute":"block-set-write-threshold","arguments":{"node-name":"n","write-threshold":-9223372036854775809}}`,
	`{"execute":"block-set-write-threshold","arguments":{"node-name":"n","write-threshold":"x"}}`,
	`{"execute":"block-dirty-bitmap-add","arguments":{"node":"n","name":"b","granularity":-1}}`,
	`{"execute":"block-dirty-bitmap-add","arguments":{"node":"n","name":"b","granularity":4294967296}}`,
	`{"execute":"block-dirty-bitmap-add","arguments":{"node":"n","name":"b","granularity":18446744073709551616}}`,
	`{"execute":"block-dirty-bitmap-add","arguments":{"node":"n","name":"b","granularity":1.5}}`,
	`{"execute":"block-dirty-bitmap-merge","arguments":{"node":"n","target":"b","bitmaps":[5]}}`,
}

// accepted are arguments that all releases accept; the command may still fail.
var accepted = []string{
	`{"execute":"block-set-write-threshold","arguments":{"node-name":"n","write-threshold":18446744073709551615}}`,
	`{"execute":"block-set-write-threshold","arguments":{"node-name":"n","write-threshold":-1}}`,
	`{"execute":"block-set-write-threshold","arguments":{"node-name":"n","write-threshold":-9223372036854775808}}`,
	`{"execute":"block-dirty-bitmap-add","arguments":{"node":"n","name":"b","granularity":4294967295}}`,
	`{"execute":"migrate-set-parameters","arguments":{"tls-creds":null}}`,
}

// TestQEMURefuses compares the answers to bad requests, word for word.
func TestQEMURefuses(t *testing.T) {
	ask := func(t *testing.T, conn *qmp.Conn, request string) *qmp.Error {
		t.Helper()
		answer, err := conn.RoundTrip(t.Context(), []byte(request))
		require.NoError(t, err)
		var m struct {
			Error *qmp.Error `json:"error"`
		}
		require.NoError(t, json.Unmarshal(answer, &m))
		return m.Error
	}
	agree := 0
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		real, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp"), qmp.WithOOB())
		require.NoError(t, err)
		defer real.Close()
		srv := qmptest.Start(t, qmptest.Version(real.Greeting().Version))
		fake, err := srv.Dial(t.Context(), qmp.WithOOB())
		require.NoError(t, err)
		defer fake.Close()
		for _, request := range refusals {
			want, got := ask(t, real, request), ask(t, fake, request)
			require.NotNil(t, want, request)
			if strings.Contains(request, "qmp_capabilities") && got != nil { // sentences are our own
				got.Desc = want.Desc
			}
			if assert.Equal(t, want, got, request) {
				agree++
			}
		}
		srv.Reply("block-set-write-threshold")
		srv.Reply("block-dirty-bitmap-add")
		srv.Reply("migrate-set-parameters")
		for _, request := range accepted {
			if e := ask(t, real, request); e != nil {
				assert.NotContains(t, e.Desc, "expects", request)
				assert.NotContains(t, e.Desc, "Invalid parameter", request)
			}
			if assert.Nil(t, ask(t, fake, request), request) {
				agree++
			}
		}
	})
	t.Logf("%d cases agree", agree)
}
