package qga_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/schema/qemu"
)

// loadBindings returns the package, with the schema of the release that it is
// generated from.
func loadBindings(t testing.TB) wiretest.Bindings {
	t.Helper()
	return wiretest.Load(t, qemu.QGA, reflect.TypeFor[*qga.Client](), allTypes)
}

// TestComplete compares what the bindings declare with the parsed schema.
func TestComplete(t *testing.T) { loadBindings(t).Complete(t) }

// TestRoundTrip sends made-up values through everything that has a type.
func TestRoundTrip(t *testing.T) {
	bytes := []string{"buf-b64", "input-data", "out-data", "err-data", "password"}
	loadBindings(t).RoundTrips(t, bytes, []string{"Unknown"}) // this type is for what the schema does not contain
}

// TestAllTypes compares the table of types with the generated source. UPDATE=1 writes
// it again.
func TestAllTypes(t *testing.T) {
	loadBindings(t).AllTypes(t, "github.com/goqapi/goqapi/qapi/qga")
}

// TestCaptures decodes everything recorded from real agents, and encodes it again:
// nothing in it is unknown.
func TestCaptures(t *testing.T) {
	for _, release := range []string{"7.2", "10.0"} {
		t.Run(release, func(t *testing.T) {
			c := wiretest.NewChecker(loadBindings(t))
			dir := corpus.Path(t, "captures", release)
			paths, err := filepath.Glob(filepath.Join(dir, "qga-*.json"))
			require.NoError(t, err)
			for _, path := range paths {
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				var m wiretest.Message
				require.NoError(t, json.Unmarshal(text, &m), path)
				if m.Return != nil {
					c.Reply(t, strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "qga-"), ".json"), m.Return)
				}
			}
			c.Dialogue(t, filepath.Join(dir, "qga-session.log"))
			t.Logf("%d replies, %d requests", c.Replies, c.Requests)
			assert.Greater(t, c.Replies, 30)
			assert.Greater(t, c.Requests, 3)
			assert.Empty(t, c.Unknown)
		})
	}
}

// TestWire checks what is special in the agent's bindings.
func TestWire(t *testing.T) {
	for _, c := range []struct {
		value any
		text  string
	}{
		{&qga.GuestFileWriteArgs{Handle: 1, BufB64: []byte("hi\n")}, `{"handle":1,"buf-b64":"aGkK"}`},
		{&qga.GuestExecStatus{Exited: true, OutData: []byte{0xFF, 0}, ErrData: []byte{}},
			`{"exited":true,"out-data":"/wA=","err-data":""}`},
		{&qga.GuestExecArgs{Path: "p", InputData: []byte("x"), CaptureOutput: qga.Bool(true)},
			`{"path":"p","input-data":"eA==","capture-output":true}`},
		{&qga.GuestExecArgs{Path: "p", CaptureOutput: qga.GuestExecCaptureOutputModeMerged},
			`{"path":"p","capture-output":"merged"}`},
		{&qga.GuestSetUserPasswordArgs{Username: "u", Password: []byte("pw")},
			`{"username":"u","password":"cHc=","crypted":false}`},
		{&qga.GuestFileSeekArgs{Handle: 1, Offset: -2, Whence: qga.QGASeekEnd}, `{"handle":1,"offset":-2,"whence":"end"}`},
		{&qga.GuestFileSeekArgs{Handle: 1, Whence: qga.Int(0)}, `{"handle":1,"offset":0,"whence":0}`},
	} {
		text, err := json.Marshal(c.value)
		require.NoError(t, err)
		assert.JSONEq(t, c.text, string(text))
		again := wiretest.Decode(t, reflect.TypeOf(c.value).Elem(), text)
		assert.Equal(t, reflect.ValueOf(c.value).Elem().Interface(), again)
	}
	require.Error(t, json.Unmarshal([]byte(`{"exited":true,"out-data":"not base64"}`), new(qga.GuestExecStatus)))
}

func ExampleClient_GuestExec() {
	args := qga.GuestExecArgs{
		Path:          "/bin/uname",
		Arg:           []string{"-r"},
		CaptureOutput: qga.GuestExecCaptureOutputModeSeparated,
	}
	text, err := json.Marshal(args)
	fmt.Println(string(text), err)
	// Output: {"path":"/bin/uname","arg":["-r"],"capture-output":"separated"} <nil>
}

// TestAvailability compares what comments say about releases with each release.
func TestAvailability(t *testing.T) { loadBindings(t).Availability(t, qemu.QGA) }
