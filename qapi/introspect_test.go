package qapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// supported is what the releases of QEMU have, oldest first: 5.2, 7.2, 10.0, 11.1.
var supported = map[string][4]bool{
	"query-status":                    {true, true, true, true},
	"no-such-command":                 {},
	"STOP":                            {}, // an event is not a command
	"event STOP":                      {true, true, true, true},
	"event query-status":              {},
	"event BLOCK_IO_ERROR/qom-path":   {false, false, true, true},
	"event BLOCK_IO_ERROR/node-name":  {true, true, true, true},
	"migrate/uri":                     {true, true, true, true},
	"migrate/channels":                {false, false, true, true},
	"migrate/channels/addr/transport": {false, false, true, true},
	"migrate/channels/addr/transport=socket/path":       {false, false, true, true},
	"blockdev-add/driver=qcow2":                         {true, true, true, true},
	"blockdev-add/driver=qcow2/backing":                 {true, true, true, true},
	"blockdev-add/driver=qcow2/discard-no-unref":        {false, false, true, true},
	"blockdev-add/driver=null-co/backing":               {},
	"blockdev-add/driver=nvme-io_uring":                 {false, false, true, true},
	"blockdev-add/driver=teleport":                      {},
	"blockdev-add/backing":                              {true, true, true, true}, // of any variant
	"blockdev-add/node-name=x":                          {},
	"blockdev-create/options/subformat=streamOptimized": {true, true, true, true}, // of vmdk; vhdx and vpc have a subformat, too
	"blockdev-create/options/subformat=fixed":           {true, true, true, true},
	"blockdev-create/options/subformat=oval":            {},
	"query-block->inserted/node-name":                   {true, true, true, true},
	"query-block->inserted/image/format-specific/type":  {true, true, true, true},
	"query-block->no-such-member":                       {},
	"query-status->running":                             {true, true, true, true},
	"query-status->singlestep":                          {true, true, false, false},
	"device_add":                                        {true, true, true, true},
	"object-add/qom-type=iothread":                      {false, true, true, true}, // 5.2 does not list them
	"x-blockdev-change/@unstable":                       {false, true, true, true},
	"query-cpus-fast->target=s390x/cpu-state":           {true, true, true, true},
	"":               {},
	"/":              {},
	"blockdev-add/":  {},
	"blockdev-add//": {},
	"->":             {},
	"event ":         {},
	"query-status->": {true, true, true, true},
}

var columns = map[string]int{"5.2": 0, "7.2": 1, "10.0": 2, "11.1": 3}

func checkSupported(t *testing.T, caps *qapi.Capabilities, release string) {
	t.Helper()
	for path, want := range supported {
		assert.Equal(t, want[columns[release]], caps.Supports(path), "%s: %q: %v", release, path, caps.Check(path))
	}
}

func TestSupportsCaptures(t *testing.T) {
	for _, release := range []string{"7.2", "10.0"} {
		var reply struct{ Return []qapi.SchemaInfo }
		text := corpus.Read(t, "captures", release, "query-qmp-schema.json")
		require.NoError(t, json.Unmarshal([]byte(text), &reply))
		checkSupported(t, qapi.NewCapabilities(reply.Return), release)
	}
}

func TestQEMUSupports(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp"))
		require.NoError(t, err)
		defer conn.Close()
		caps, err := qapi.Introspect(t.Context(), qapi.NewClient(conn))
		require.NoError(t, err)
		v := conn.Greeting().Version
		release := fmt.Sprintf("%d.%d", v.Major, v.Minor)
		if _, known := columns[release]; !known {
			t.Skipf("what QEMU %s has is not in the table", release)
		}
		checkSupported(t, caps, release)
		if release == "5.2" {
			assert.ErrorIs(t, caps.Check("object-add/qom-type=iothread"), qapi.ErrNotListed)
		}
	})
}

func TestCheckNamesThePart(t *testing.T) {
	caps := qapi.NewCapabilities([]qapi.SchemaInfo{
		{Name: "go", MetaType: qapi.SchemaInfoCommand{ArgType: "1"}, Features: []string{"unstable"}},
		{Name: "1", MetaType: qapi.SchemaInfoObject{Members: []qapi.SchemaInfoObjectMember{{Name: "mode", Type: "2"}, {Name: "to", Type: "str"}}}},
		{Name: "2", MetaType: qapi.SchemaInfoEnum{Values: []string{"fast"}}},
		{Name: "str", MetaType: qapi.SchemaInfoBuiltin{JSONType: qapi.JSONTypeString}},
	})
	for path, want := range map[string]string{
		"run":              `qapi: "run": the server has no command "run"`,
		"event GONE":       `the server has no event "GONE"`,
		"go/speed":         `go has no member "speed"`,
		"go/mode=slow":     `mode has no value "slow"`,
		"go/to=there":      `to is any string: the server does not list its values`,
		"go/mode=fast/max": `mode=fast has no member "max"`,
		"go/@deprecated":   `go has no feature "deprecated"`,
	} {
		assert.ErrorContains(t, caps.Check(path), want)
	}
	assert.ErrorIs(t, caps.Check("go/to=there"), qapi.ErrNotListed)
	assert.NotErrorIs(t, caps.Check("go/mode=slow"), qapi.ErrNotListed)
	for _, path := range []string{"go", "go/mode", "go/mode=fast", "go/@unstable"} {
		assert.NoError(t, caps.Check(path))
	}
}

// Two variants have a member of the same name with different types.
func TestSupportsMembersOfAnyVariant(t *testing.T) {
	object := func(members ...qapi.SchemaInfoObjectMember) qapi.SchemaInfoObject {
		return qapi.SchemaInfoObject{Members: members}
	}
	caps := qapi.NewCapabilities([]qapi.SchemaInfo{
		{Name: "go", MetaType: qapi.SchemaInfoCommand{ArgType: "1"}},
		{Name: "1", MetaType: qapi.SchemaInfoObject{Variants: []qapi.SchemaInfoObjectVariant{{Case: "a", Type: "2"}, {Case: "b", Type: "3"}}}},
		{Name: "2", MetaType: object(qapi.SchemaInfoObjectMember{Name: "to", Type: "4"}, qapi.SchemaInfoObjectMember{Name: "how", Type: "str"})},
		{Name: "3", MetaType: object(
			qapi.SchemaInfoObjectMember{Name: "to", Type: "5", Features: []string{"unstable"}}, qapi.SchemaInfoObjectMember{Name: "how", Type: "6"})},
		{Name: "4", MetaType: object(qapi.SchemaInfoObjectMember{Name: "path", Type: "str"})},
		{Name: "5", MetaType: object(qapi.SchemaInfoObjectMember{Name: "port", Type: "str"})},
		{Name: "6", MetaType: qapi.SchemaInfoEnum{Values: []string{"fast"}}},
		{Name: "str", MetaType: qapi.SchemaInfoBuiltin{JSONType: qapi.JSONTypeString}},
	})
	for _, path := range []string{"go/to/path", "go/to/port", "go/to/@unstable", "go/how=fast"} {
		assert.NoError(t, caps.Check(path), path)
	}
	assert.ErrorContains(t, caps.Check("go/to/name"), `to has no member "name"`)
	assert.ErrorIs(t, caps.Check("go/how=slow"), qapi.ErrNotListed)
}

// TestCircle has types that contain each other.
func TestCircle(t *testing.T) {
	caps := qapi.NewCapabilities([]qapi.SchemaInfo{
		{Name: "go", MetaType: qapi.SchemaInfoCommand{ArgType: "1", RetType: "[2]"}},
		{Name: "1", MetaType: qapi.SchemaInfoObject{Variants: []qapi.SchemaInfoObjectVariant{{Case: "a", Type: "1"}}}},
		{Name: "[2]", MetaType: qapi.SchemaInfoArray{ElementType: "[2]"}},
	})
	assert.False(t, caps.Supports("go/x"))
	assert.False(t, caps.Supports("go->x"))

	// Each of these types contains all of them, including itself: there are 20^n paths of n steps.
	list := []qapi.SchemaInfo{
		{Name: "go", MetaType: qapi.SchemaInfoCommand{ArgType: "1"}},
		{Name: "1", MetaType: qapi.SchemaInfoObject{Members: []qapi.SchemaInfoObjectMember{{Name: "mode", Type: "a0"}}}},
	}
	for i := range 20 {
		var alternate qapi.SchemaInfoAlternate
		for j := range 20 {
			alternate.Members = append(alternate.Members, qapi.SchemaInfoAlternateMember{Type: fmt.Sprint("a", j)})
		}
		list = append(list, qapi.SchemaInfo{Name: fmt.Sprint("a", i), MetaType: alternate})
	}
	caps = qapi.NewCapabilities(list)
	assert.True(t, caps.Supports("go/mode"))
	assert.False(t, caps.Supports("go/mode=x"))
	assert.False(t, caps.Supports("go/mode/x/y"))
}

// TestIntrospectAsksOnce shares the answer among all clients of a connection.
func TestIntrospectAsksOnce(t *testing.T) {
	srv := qmptest.Start(t)
	asked, fail := 0, true
	srv.Handle("query-qmp-schema", func(context.Context, *qmptest.Request) (any, error) {
		asked++
		if fail {
			fail = false
			return nil, &qmp.Error{Class: "GenericError", Desc: "not now"}
		}
		return []qapi.SchemaInfo{{Name: "quit", MetaType: qapi.SchemaInfoCommand{ArgType: "0", RetType: "0"}}}, nil
	})
	conn, err := srv.Dial(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	c := qapi.NewClient(conn)
	_, err = qapi.Introspect(t.Context(), c)
	assert.ErrorContains(t, err, "not now")
	for range 3 {
		caps, err := qapi.Introspect(t.Context(), c.With(qmp.Timeout(0)))
		require.NoError(t, err)
		assert.True(t, caps.Supports("quit"))
	}
	assert.Equal(t, 2, asked, "the first attempt fails, the second is for all")
}
