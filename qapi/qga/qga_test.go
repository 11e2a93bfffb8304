package qga_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

func load(t *testing.T) (*schema.Schema, map[string]wiretest.Method) {
	t.Helper()
	s, err := qemu.Load("11.1", qemu.QGA)
	require.NoError(t, err)
	methods, err := wiretest.Methods(reflect.TypeFor[*qga.Client](), os.DirFS("."))
	require.NoError(t, err)
	return s, methods
}

// base64Members are the members that hold bytes.
var base64Members = []string{"buf-b64", "input-data", "out-data", "err-data", "password"}

// TestRoundTrip sends made-up values through the arguments and the result of
// every command.
func TestRoundTrip(t *testing.T) {
	s, methods := load(t)
	commands := s.Commands()
	require.Len(t, methods, len(commands), "a method for each command")
	check := func(name string, of schema.Type, into reflect.Type) {
		t.Run(name, func(t *testing.T) {
			for i, optional := range []float64{0, 1, 0.5} {
				sampler := wiretest.Sampler{Rand: rand.New(rand.NewPCG(uint64(i), 1)), Optional: optional, Base64: base64Members}
				for range 25 {
					text, err := json.Marshal(sampler.Sample(of))
					require.NoError(t, err)
					require.Empty(t, wiretest.RoundTrip(t, of, into, text))
				}
			}
		})
	}
	for _, c := range commands {
		m := methods[c.Name]
		require.Equal(t, c.Args != nil, m.Args != nil, c.Name)
		require.Equal(t, c.Returns != nil, m.Result != nil, c.Name)
		if c.Args != nil {
			check(c.Name+" arguments", c.Args, m.Args)
		}
		if c.Returns != nil {
			check(c.Name+" reply", c.Returns, m.Result)
		}
	}
}

// TestCaptures decodes what real agents were heard to say, and encodes it again.
func TestCaptures(t *testing.T) {
	s, methods := load(t)
	for _, release := range []string{"7.2", "10.0"} {
		paths, err := filepath.Glob(filepath.Join(wiretest.Data(t, "captures", release), "qga-*.json"))
		require.NoError(t, err)
		require.NotEmpty(t, paths)
		for _, path := range paths {
			name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "qga-"), ".json")
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			var reply struct{ Return json.RawMessage }
			require.NoError(t, json.Unmarshal(text, &reply), path)
			c, ok := s.Lookup(name).(*schema.Command)
			require.True(t, ok, name)
			if reply.Return == nil || c.Returns == nil {
				continue // an error, or nothing to tell
			}
			unknown := wiretest.RoundTrip(t, c.Returns, methods[name].Result, reply.Return)
			assert.Empty(t, unknown, path)
		}
	}
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
