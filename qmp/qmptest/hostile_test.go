package qmptest_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// These tests read what is on the wire, since a client does not show it to its caller.

// hear writes some text and returns the next lines that the server sends.
func hear(t *testing.T, conn net.Conn, in *bufio.Reader, text string, lines int) (got []string) {
	t.Helper()
	_, err := io.WriteString(conn, text)
	require.NoError(t, err)
	for range lines {
		line, err := in.ReadString('\n')
		require.NoError(t, err)
		got = append(got, strings.TrimSuffix(line, "\r\n"))
	}
	return got
}

func TestLeftover(t *testing.T) {
	srv := qmptest.Start(t)
	srv.Leftover("a", map[string]int{"n": 1})
	srv.Leftover(nil, &qmp.Error{Class: qmp.ClassGenericError, Desc: "too late"})
	for _, left := range [][]string{
		{`{"return": {"n": 1}, "id": "a"}`, `{"error": {"class": "GenericError", "desc": "too late"}}`},
		nil,
	} {
		conn := srv.Pipe()
		in := bufio.NewReader(conn)
		got := hear(t, conn, in, "", 1+len(left)) // before it has said anything
		assert.Contains(t, got[0], `{"QMP": `)
		assert.Equal(t, left, append([]string(nil), got[1:]...))
		assert.Equal(t, []string{`{"return": {}}`}, hear(t, conn, in, `{"execute":"qmp_capabilities"}`, 1))
		conn.Close()
	}
}

// The reply to a command that was executed when its client left goes to the next one,
// and the commands that waited are not executed.
func TestLeftovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t, qmptest.Leftovers())
		srv.Reply("query-name", qapi.NameInfo{Name: new("vm1")})
		heal := srv.Fault("query-name", qmptest.Delay(time.Minute))
		conn := srv.Pipe()
		hear(t, conn, bufio.NewReader(conn),
			`{"execute":"qmp_capabilities"}{"execute":"query-name","id":7}{"execute":"cont"}`, 2)
		synctest.Wait()
		conn.Close()
		synctest.Wait()
		heal()

		conn = srv.Pipe()
		in := bufio.NewReader(conn)
		got := hear(t, conn, in, `{"execute":"qmp_capabilities","id":8}{"execute":"query-status","id":9}`, 4)
		assert.Equal(t, []string{
			`{"return": {"name": "vm1"}, "id": 7}`,
			`{"return": {}, "id": 8}`,
		}, got[1:3])
		assert.Contains(t, got[3], `"prelaunch"`, "cont was not executed")
		conn.Close()
	})
}

func TestStray(t *testing.T) {
	srv := qmptest.Start(t)
	conn := srv.Pipe()
	defer conn.Close()
	in := bufio.NewReader(conn)
	hear(t, conn, in, `{"execute":"qmp_capabilities"}`, 2)
	srv.Stray(nil, struct{}{})
	assert.Equal(t, []string{`{"return": {}}`}, hear(t, conn, in, "", 1), "at any moment")

	heal := srv.Fault("stop", qmptest.Stray(nil, []int{1}), qmptest.Stray(4, io.ErrUnexpectedEOF))
	got := hear(t, conn, in, `{"execute":"stop","id":5}`, 3)
	assert.Equal(t, []string{
		`{"return": [1]}`,
		`{"id": 4, "error": {"class": "GenericError", "desc": "unexpected EOF"}}`,
		`{"return": {}, "id": 5}`,
	}, got)
	heal()
	assert.Equal(t, []string{`{"return": {}}`}, hear(t, conn, in, `{"execute":"stop"}`, 1))
	assert.Panics(t, func() { srv.Stray(nil, func() {}) })
	assert.Panics(t, func() { srv.Stray(func() {}, nil) })
}

func TestOnce(t *testing.T) {
	srv := qmptest.Start(t)
	conn := srv.Pipe()
	defer conn.Close()
	in := bufio.NewReader(conn)
	hear(t, conn, in, `{"execute":"qmp_capabilities"}`, 2)
	heal := srv.Fault("", qmptest.NoID(), qmptest.Once())
	assert.Equal(t, []string{`{"return": {}}`, `{"return": {}, "id": 2}`},
		hear(t, conn, in, `{"execute":"stop","id":1}{"execute":"stop","id":2}`, 2))
	heal() // what is no longer there
}

func TestShapes(t *testing.T) {
	const request = `{"execute":"query-name","id":[7]}`
	nested := `"y": {"return": {"id": 1}, "z": [{"id": 2}, "}"]}`
	for _, c := range []struct {
		list []qmptest.Fault
		want string
	}{
		{[]qmptest.Fault{qmptest.Extra(qmptest.First, nested)}, `{` + nested + `, "return": {"name": "a \"}"}, "id": [7]}`},
		{[]qmptest.Fault{qmptest.Extra(qmptest.Between, nested)}, `{"return": {"name": "a \"}"}, ` + nested + `, "id": [7]}`},
		{[]qmptest.Fault{qmptest.Extra(qmptest.Last, `"x": 1`)}, `{"return": {"name": "a \"}"}, "id": [7], "x": 1}`},
		{[]qmptest.Fault{qmptest.IDFirst()}, `{"id": [7], "return": {"name": "a \"}"}}`},
		{[]qmptest.Fault{qmptest.IDFirst(), qmptest.Extra(qmptest.Between, `"x": 1`)}, `{"id": [7], "x": 1, "return": {"name": "a \"}"}}`},
		{[]qmptest.Fault{qmptest.NoID(), qmptest.Extra(qmptest.Between, `"x": 1`)}, `{"return": {"name": "a \"}"}, "x": 1}`},
		{[]qmptest.Fault{qmptest.IDFirst(), qmptest.NoID()}, `{"return": {"name": "a \"}"}}`},
		{[]qmptest.Fault{qmptest.Spaces("")}, `{"return":{"name":"a \"}"},"id":[7]}`},
		{
			[]qmptest.Fault{qmptest.Spaces("\t"), qmptest.Extra(qmptest.Last, `"x": 1`)},
			"\t{\t\"return\"\t:\t\t{\t\"name\"\t:\t\"a \\\"}\"\t}\t\t,\t\"id\"\t:\t\t[\t7\t]\t\t,\t\"x\"\t:\t1\t}\t",
		},
	} {
		srv := qmptest.Start(t)
		srv.Reply("query-name", qapi.NameInfo{Name: new(`a "}`)})
		srv.Fault("query-name", c.list...)
		conn := srv.Pipe()
		got := talk(t, conn, `{"execute":"qmp_capabilities"}`, request)
		assert.Equal(t, c.want, got[2])
		assert.True(t, json.Valid([]byte(got[2])), got[2])
		conn.Close()
	}
}

// An agent's reply to a synchronisation begins with the byte 0xFF, whatever its shape.
func TestShapesOfAgents(t *testing.T) {
	srv := qmptest.StartAgent(t)
	srv.Fault("guest-sync-delimited", qmptest.Extra(qmptest.First, `"x": 1`), qmptest.Spaces(""))
	conn := srv.Pipe()
	defer conn.Close()
	got := hear(t, conn, bufio.NewReader(conn), `{"execute":"guest-sync-delimited","arguments":{"id":5}}`, 1)
	assert.Equal(t, []string{"\xff{\"x\":1,\"return\":5}\n"}, got)
}

func TestGreetings(t *testing.T) {
	everything := func(srv *qmptest.Server) string {
		t.Helper()
		conn := srv.Pipe()
		defer conn.Close()
		text, err := io.ReadAll(conn)
		require.NoError(t, err)
		return string(text)
	}
	srv := qmptest.Start(t)
	plain := srv.Pipe()
	greeting, err := bufio.NewReader(plain).ReadString('\n')
	require.NoError(t, err)
	plain.Close()

	heal := srv.FaultGreeting(qmptest.HangUp())
	assert.Equal(t, greeting, everything(srv), "it greets and closes the connection")
	assert.Equal(t, greeting, everything(srv), "again and again")
	srv.FaultGreeting(qmptest.CutReply(9))
	assert.Equal(t, `{"QMP": {`, everything(srv))
	srv.FaultGreeting(qmptest.Drop(), qmptest.HangUp())
	assert.Empty(t, everything(srv))
	srv.FaultGreeting(qmptest.Noise("boom\r\n"), qmptest.HangUp())
	assert.Equal(t, "boom\r\n"+greeting, everything(srv))
	heal() // it was replaced before

	srv.FaultGreeting(qmptest.Oversize(1<<20), qmptest.HangUp())
	huge := everything(srv)
	assert.GreaterOrEqual(t, len(huge), 1<<20)
	assert.Less(t, len(huge), 1<<20+100)
	assert.True(t, json.Valid([]byte(huge)))

	heal = srv.FaultGreeting(qmptest.Extra(qmptest.First, `"x": 1`))
	heal()
	conn := srv.Pipe()
	defer conn.Close()
	assert.Equal(t, `{"return": {}}`, talk(t, conn, `{"execute":"qmp_capabilities"}`)[1])
}

// A fault of all commands is not a fault of the greeting, and vice versa.
func TestGreetingsAndCommands(t *testing.T) {
	srv := qmptest.Start(t)
	srv.Fault("", qmptest.Extra(qmptest.First, `"command": 1`))
	srv.FaultGreeting(qmptest.Extra(qmptest.First, `"greeting": 1`))
	conn := srv.Pipe()
	defer conn.Close()
	got := talk(t, conn, `{"execute":"qmp_capabilities"}`, `{"execute":"stop"}`)
	assert.True(t, strings.HasPrefix(got[0], `{"greeting": 1, "QMP"`), got[0])
	assert.Equal(t, []string{`{"return": {}}`, `{"command": 1, "return": {}}`}, got[1:])
}

// After HangUp, the commands after the reply are not executed.
func TestHangUp(t *testing.T) {
	srv := qmptest.Start(t)
	srv.Fault("stop", qmptest.HangUp())
	conn := srv.Pipe()
	talk(t, conn, `{"execute":"qmp_capabilities"}`, `{"execute":"stop"}`)
	_, err := conn.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
}

func TestStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := qmptest.Start(t)
		conn := srv.Pipe()
		in := bufio.NewReader(conn)
		hear(t, conn, in, `{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}`, 2)
		begin := time.Now()
		srv.Stall(10 * time.Second)
		hear(t, conn, in, strings.Repeat(`{"execute":"stop"}`, 8)+`{"exec-oob":"query-yank","id":1}`, 9)
		assert.Equal(t, 10*time.Second, time.Since(begin))
		assert.Equal(t, 8, srv.Count("stop"), "it executes everything")
		hear(t, conn, in, `{"execute":"stop"}`, 1)
		assert.Equal(t, 10*time.Second, time.Since(begin), "and after the stall it is as fast as before")

		other := srv.Pipe()
		heard := bufio.NewReader(other)
		hear(t, other, heard, `{"execute":"qmp_capabilities"}`, 2)
		srv.Stall(time.Minute)
		_, err := io.WriteString(conn, `{"execute":"cont"}`)
		require.NoError(t, err)
		conn.Close()
		assert.Contains(t, hear(t, other, heard, "", 1)[0], "RESUME", "what nobody waits for any more, too")
		assert.Equal(t, 70*time.Second, time.Since(begin))
		other.Close()
	})
}

// A client has to accept members that it does not know, in any place, although no QEMU sends them
// yet; and it must not accept a reply to another client.
func ExampleServer_Fault() {
	srv := qmptest.New()
	srv.Fault("query-status",
		qmptest.Stray(nil, struct{}{}),
		qmptest.IDFirst(),
		qmptest.Extra(qmptest.Between, `"x": {"return": 1}`))
	conn := srv.Pipe()
	in := bufio.NewScanner(conn)
	in.Scan() // the greeting
	for _, request := range []string{`{"execute":"qmp_capabilities"}`, `{"execute":"query-status","id":3}`} {
		if _, err := io.WriteString(conn, request); err != nil {
			fmt.Println(err)
		}
		in.Scan()
		fmt.Println(in.Text())
	}
	in.Scan()
	fmt.Println(in.Text())
	conn.Close()
	fmt.Println(srv.Close())
	// Output:
	// {"return": {}}
	// {"return": {}}
	// {"id": 3, "x": {"return": 1}, "return": {"running": false, "status": "prelaunch"}}
	// <nil>
}

// A server that greets and closes the first connection, as when another program restarts it,
// and serves the next client.
func ExampleServer_FaultGreeting() {
	srv := qmptest.New()
	srv.FaultGreeting(qmptest.HangUp(), qmptest.Once())
	ctx := context.Background()
	_, err := srv.Dial(ctx)
	fmt.Println(err != nil)
	conn, err := srv.Dial(ctx)
	fmt.Println(err)
	conn.Close()
	fmt.Println(srv.Close())
	// Output:
	// true
	// <nil>
	// <nil>
}
