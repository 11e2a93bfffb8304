package qapi_test

import (
	stdjson "encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
)

// TestWire fixes how each construct of the schema language looks in Go and on the wire.
// Decoding the text gives the value again.
func TestWire(t *testing.T) {
	for _, c := range []struct {
		name  string
		value any
		text  string
	}{
		{"optional members are absent", qapi.EjectArgs{}, `{}`},
		{"false and empty are not absent", qapi.EjectArgs{Device: new(""), Force: new(false)}, `{"device":"","force":false}`},
		{"an empty optional list is sent", qapi.ObjectOptionsAuthzList{Rules: []qapi.QAuthZListRule{}}, `{"rules":[]}`},
		{"a nil optional list is absent", qapi.ObjectOptionsAuthzList{}, `{}`},

		{"union, struct of its own", qapi.BlockdevOptions{
			NodeName: new("disk0"),
			Driver: qapi.BlockdevOptionsQcow2{
				File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "vm.qcow2"}},
			},
		}, `{"driver":"qcow2","node-name":"disk0","file":{"driver":"file","filename":"vm.qcow2"}}`},
		{"union, two tags of one struct", qapi.BlockdevOptions{
			Driver: qapi.BlockdevOptionsHostDevice{Filename: "/dev/sda"},
		}, `{"driver":"host_device","filename":"/dev/sda"}`},
		{"union, only the tag", qapi.SchemaInfo{Name: "x", MetaType: qapi.SchemaInfoCommand{ArgType: "1", RetType: "2"}},
			`{"name":"x","meta-type":"command","arg-type":"1","ret-type":"2"}`},
		{"union, branch in data", qapi.ChardevBackend{Type: qapi.ChardevBackendSocket{
			Addr: qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: "/s"}},
		}}, `{"type":"socket","data":{"addr":{"type":"unix","data":{"path":"/s"}}}}`},
		{"union, empty branch in data", qapi.ChardevBackend{Type: qapi.ChardevBackendPty{}}, `{"type":"pty","data":{}}`},
		{"union, scalar in data", qapi.KeyValue{Type: qapi.KeyValueNumber(30)}, `{"type":"number","data":30}`},
		{"union, enum in data", qapi.KeyValue{Type: qapi.KeyValueQcode(qapi.QKeyCodeA)}, `{"type":"qcode","data":"a"}`},
		{"union in a union, two tags in one object", qapi.MigrationAddress{
			Transport: qapi.MigrationAddressSocket{Type: qapi.SocketAddressUnix{Path: "/m"}},
		}, `{"transport":"socket","type":"unix","path":"/m"}`},
		{"union, unknown tag", qapi.BlockdevOptions{
			Driver: qapi.Unknown{Tag: "floppynet", JSON: stdjson.RawMessage(`{"baud":300}`)},
		}, `{"driver":"floppynet","baud":300}`},
		{"union without its tag", qapi.SEVInfo{
			Enabled: true, SEVType: qapi.Unknown{JSON: stdjson.RawMessage(`{"policy":1}`)},
		}, `{"enabled":true,"api-major":0,"api-minor":0,"build-id":0,"state":"","policy":1}`},

		{"alternate, string", qapi.BlockdevOptionsRaw{File: qapi.Str("proto0")}, `{"file":"proto0"}`},
		{"alternate, null", qapi.BlockdevOptionsQcow2{File: qapi.Str("f"), Backing: qapi.Null{}}, `{"file":"f","backing":null}`},
		{"alternate, unknown kind", qapi.BlockdevOptionsRaw{File: qapi.Unknown{JSON: stdjson.RawMessage(`7`)}}, `{"file":7}`},
		{"alternate, enum", qapi.BlockdevOptionsQcow2{File: qapi.Str("f"), OverlapCheck: qapi.Qcow2OverlapCheckModeAll},
			`{"file":"f","overlap-check":"all"}`},
		{"alternate, struct", qapi.BlockdevOptionsQcow2{File: qapi.Str("f"), OverlapCheck: qapi.Qcow2OverlapCheckFlags{}},
			`{"file":"f","overlap-check":{}}`},
		{"alternate, list", qapi.Stats{Name: "n", Value: qapi.UintList{1, math.MaxUint64}}, `{"name":"n","value":[1,18446744073709551615]}`},
		{"alternate, integer", qapi.Stats{Name: "n", Value: qapi.Uint(math.MaxUint64)}, `{"name":"n","value":18446744073709551615}`},
		{"alternate, bool", qapi.Stats{Name: "n", Value: qapi.Bool(true)}, `{"name":"n","value":true}`},
		{"three states: absent", qapi.MigrationParameters{}, `{}`},
		{"three states: null", qapi.MigrationParameters{TLSCreds: qapi.Null{}}, `{"tls-creds":null}`},
		{"three states: value", qapi.MigrationParameters{TLSCreds: qapi.Str("")}, `{"tls-creds":""}`},

		{"integers keep their digits", qapi.BlockdevOptionsNullCo{Size: new(int64(9007199254740993))}, `{"size":9007199254740993}`},
		{"further members", qapi.DeviceAddArgs{
			Driver: "virtio-net-pci", ID: new("n"), Props: map[string]any{"mac": "52:54:00:12:34:56", "addr": int64(3), "big": uint64(math.MaxUint64)},
		}, `{"driver":"virtio-net-pci","id":"n","addr":3,"big":18446744073709551615,"mac":"52:54:00:12:34:56"}`},
		{"open enum", qapi.StatusInfo{Status: "levitating"}, `{"running":false,"status":"levitating","singlestep":false}`},
		{"event", qapi.StopEvent{}, `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			text, err := json.Marshal(c.value, json.Deterministic(true))
			require.NoError(t, err)
			assert.JSONEq(t, c.text, string(text))
			assert.Len(t, text, len(c.text), "the shortest JSON: %s", text)
			for name, unmarshal := range map[string]func([]byte, any) error{
				"the JSON module": func(b []byte, v any) error { return json.Unmarshal(b, v) },
				"encoding/json":   stdjson.Unmarshal,
			} {
				again := reflect.New(reflect.TypeOf(c.value))
				require.NoError(t, unmarshal(text, again.Interface()), name)
				assert.EqualExportedValues(t, c.value, again.Elem().Interface(), name)
			}
		})
	}
}

// TestSwitch distinguishes every variant by its type, even if two tags share a struct,
// and receives values, never pointers.
func TestSwitch(t *testing.T) {
	for text, want := range map[string]string{
		`{"driver":"file","filename":"x"}`:        "file",
		`{"driver":"host_device","filename":"x"}`: "host_device",
		`{"driver":"null-co"}`:                    "null-co",
		`{"driver":"warp","factor":9}`:            "unknown warp {\"factor\":9}",
		`{"factor":9,"driver":"warp"}`:            "unknown warp {\"factor\":9}",
		`{"node-name":"n"}`:                       "unknown  {}",
	} {
		var got string
		var options qapi.BlockdevOptions
		require.NoError(t, json.Unmarshal([]byte(text), &options))
		switch d := options.Driver.(type) {
		case qapi.BlockdevOptionsFile:
			got = "file"
		case qapi.BlockdevOptionsHostDevice:
			got = "host_device"
		case qapi.BlockdevOptionsNullCo:
			got = "null-co"
		case qapi.Unknown:
			got = fmt.Sprintf("unknown %s %s", d.Tag, d.JSON)
		}
		assert.Equal(t, want, got)
		assert.Equal(t, options.Driver.BlockdevDriver().Known(), got[0] != 'u', "a method with the enum's name returns the tag")
	}
}

// TestRefused has values that no server could understand.
func TestRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"no variant", qapi.BlockdevOptions{NodeName: new("n")},
			"BlockdevOptions.Driver is not set: it needs one of the types of BlockdevOptionsVariant"},
		{"nil pointer as a variant", qapi.Netdev{Type: (*qapi.NetdevUser)(nil)}, "Netdev.Type is not set"},
		{"no alternate", qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsRaw{}}, "BlockdevOptionsRaw.File is not set: it needs one of the types of BlockdevRef"},
		{"a variant over a struct that others share", qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsBochs{}}, "BlockdevOptionsBochs.File is not set"},
		{"a variant that is a union", qapi.MigrationAddress{Transport: qapi.MigrationAddressSocket{}}, "MigrationAddressSocket.Type is not set"},
		{"such a variant for itself", qapi.MigrationAddressSocket{}, "MigrationAddressSocket.Type is not set"},
		{"nil pointer as an alternate", qapi.BlockdevOptionsRaw{File: (*qapi.BlockdevOptions)(nil)}, "BlockdevOptionsRaw.File is not set"},
		{"nil in a list", qapi.BlockdevOptionsQuorum{Children: []qapi.BlockdevRef{qapi.Str("a"), nil}}, "BlockdevOptionsQuorum.Children[1] is not set"},
		{"member given twice", qapi.DeviceAddArgs{Driver: "d", Props: map[string]any{"id": "x"}}, "DeviceAddArgs.Props has 'id', which has a field of its own"},
		{"id that is not a string", qapi.DeviceAddArgs{Driver: "d", Props: map[string]any{"id": 5}}, "DeviceAddArgs.Props has 'id', which has a field of its own"},
		{"bus that is nil", qapi.DeviceAddArgs{Driver: "d", Props: map[string]any{"bus": nil}}, "DeviceAddArgs.Props has 'bus', which has a field of its own"},
		{"crash", qapi.DeviceAddArgs{Driver: "d", Props: map[string]any{"realized": true}}, "DeviceAddArgs.Props has 'realized', which only the server itself may set"},
		{"type", qapi.DeviceAddArgs{Driver: "d", Props: map[string]any{"type": "x"}}, "DeviceAddArgs.Props has 'type'"},
		{"parent bus", qapi.DeviceAddArgs{Driver: "d", Props: map[string]any{"parent_bus": "x"}}, "DeviceAddArgs.Props has 'parent_bus'"},
		{"hotplugged", qapi.DeviceAddArgs{Driver: "d", Props: map[string]any{"hotplugged": false}}, "DeviceAddArgs.Props has 'hotplugged'"},
		{"deep down", qapi.TransactionArgs{Actions: []qapi.TransactionAction{{}}}, "TransactionAction.Type is not set"},
		{"unknown members that are not an object", qapi.Netdev{Type: qapi.Unknown{Tag: "x", JSON: stdjson.RawMessage(`[]`)}}, "object"},
		{"text that is not UTF-8", qapi.EjectArgs{ID: new("\xff")}, "UTF-8"},
	} {
		_, err := json.Marshal(c.value)
		require.Error(t, err, c.name)
		assert.Contains(t, err.Error(), c.want, c.name)
	}
}

// TestRequiredLists has required lists that are nil: they are sent empty, never as null.
func TestRequiredLists(t *testing.T) {
	for want, value := range map[string]any{
		`{"actions":[]}`:                     qapi.TransactionArgs{},
		`{"children":[],"vote-threshold":1}`: qapi.BlockdevOptionsQuorum{VoteThreshold: 1},
	} {
		text, err := json.Marshal(value)
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
	}
}

// TestPointers has pointers instead of values in interfaces, which are accepted.
func TestPointers(t *testing.T) {
	text, err := json.Marshal(qapi.BlockdevOptions{
		Driver: &qapi.BlockdevOptionsRaw{File: &qapi.BlockdevOptions{Driver: &qapi.BlockdevOptionsNullCo{}}},
	})
	require.NoError(t, err)
	assert.JSONEq(t, `{"driver":"raw","file":{"driver":"null-co"}}`, string(text))
}

// TestUndecodable has replies that no schema allows. The error names the place.
func TestUndecodable(t *testing.T) {
	for _, c := range []struct {
		into any
		text string
		want []string
	}{
		{new(qapi.StatusInfo), `{"running":"yes"}`, []string{"/running", "string"}},
		{new([]qapi.BlockInfo), `[{"device":"a"},{"inserted":{"ro":7}}]`, []string{"/1/inserted/ro", "number"}},
		{new([]qapi.SchemaInfo), `[{"name":"x","members":[{"name":7}],"meta-type":"object"}]`, []string{"/0/members/0/name", "number"}},
		{new(qapi.BlockdevOptions), `[]`, []string{"object", "qapi.BlockdevOptions"}},
		{new(qapi.BlockdevOptions), `{"driver":7}`, []string{"/driver"}},
		{new(qapi.InetSocketAddress), `{"to":65536}`, []string{"/to", "65536"}},
	} {
		err := json.Unmarshal([]byte(c.text), c.into)
		require.Error(t, err, c.text)
		for _, want := range c.want {
			assert.Contains(t, err.Error(), want, c.text)
		}
	}
}

// TestPrint shows that unions print as JSON, without secrets.
func TestPrint(t *testing.T) {
	assert.Equal(t, `{"driver":"null-co","node-name":"n"}`,
		fmt.Sprintf("%v", qapi.BlockdevOptions{NodeName: new("n"), Driver: qapi.BlockdevOptionsNullCo{}}))
	assert.Equal(t, `{"qom-type":"secret","id":"s","data":"[redacted]"}`,
		fmt.Sprint(qapi.ObjectOptions{ID: "s", QOMType: qapi.ObjectOptionsSecret{Data: new("hunter2")}}))
	assert.Equal(t, `{"protocol":"vnc","password":"[redacted]"}`,
		fmt.Sprint(qapi.SetPasswordOptions{Password: "hunter2", Protocol: qapi.SetPasswordOptionsVNC{}}))
	assert.Contains(t, fmt.Sprint(qapi.BlockdevOptions{}), "not set")
}

func TestKnown(t *testing.T) {
	assert.True(t, qapi.RunStateRunning.Known())
	assert.False(t, qapi.RunState("levitating").Known())
	assert.False(t, qapi.RunState("").Known())
}

// An error in a union inside a union says where it is, also when the text is read piece
// by piece.
func TestNestedUnionError(t *testing.T) {
	var list []qapi.MigrationAddress
	text := `[{"transport":"socket","type":"vsock","cid":"3","port":7}]`
	for name, err := range map[string]error{
		"whole":      json.Unmarshal([]byte(text), &list),
		"bit by bit": json.UnmarshalRead(iotest.OneByteReader(strings.NewReader(text)), &list),
	} {
		assert.ErrorContains(t, err, `"/0/port"`, name)
	}
}
