package qapi_test

import (
	"net"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// A written keeps the last text that was written to a stream.
type written struct {
	net.Conn
	last string
}

func (w *written) Write(p []byte) (int, error) {
	w.last = string(p)
	return w.Conn.Write(p)
}

// TestRequestsAreShort compares requests with the shortest JSON of the same meaning: QEMU reads byte by
// byte, so each byte takes time.
func TestRequestsAreShort(t *testing.T) {
	client, server := net.Pipe()
	go wiretest.Answer(server, []byte("{\"return\": {}}\r\n"))
	stream := &written{Conn: client}
	conn, err := qmp.NewConn(t.Context(), stream)
	require.NoError(t, err)
	defer conn.Close()
	c := qapi.NewClient(conn)

	_, err = c.QueryStatus(t.Context())
	require.NoError(t, err)
	assert.Equal(t, `{"execute":"query-status"}`, stream.last)
	require.NoError(t, c.DeviceDel(t.Context(), qapi.DeviceDelArgs{ID: "nic0"}))
	assert.Equal(t, `{"execute":"device_del","arguments":{"id":"nic0"}}`, stream.last)
	require.NoError(t, c.BlockdevAdd(t.Context(), qapi.BlockdevOptions{
		NodeName: new("disk0"), ReadOnly: new(false),
		Driver: qapi.BlockdevOptionsQcow2{
			File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "/vm/<1>&ü.qcow2"}},
		},
	}))
	assert.Len(t, stream.last, len(`{"execute":"blockdev-add","arguments":{"driver":"qcow2","node-name":"disk0",`+
		`"read-only":false,"file":{"driver":"file","filename":"/vm/<1>&ü.qcow2"}}}`))
}
