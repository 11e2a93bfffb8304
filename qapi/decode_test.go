package qapi_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
)

// TestRejectUnknownMembers finds misspelt members in stored configuration.
func TestRejectUnknownMembers(t *testing.T) {
	for _, c := range []struct {
		into any
		text string
		at   string // of the unknown member; empty if all are known
	}{
		{qapi.BlockdevOptions{}, `{"driver":"qcow2","node-name":"a","file":{"driver":"file","filename":"x"},"backing":null}`, ""},
		{qapi.BlockdevOptions{}, `{"driver":"qcow2","file":{"driver":"file","filename":"x"},"bakcing":null}`, "/bakcing"},
		{qapi.BlockdevOptions{}, `{"filename":"x","driver":"file","node_name":"a"}`, "/node_name"},
		{qapi.BlockdevOptions{}, `{"driver":"qcow2","file":{"driver":"file","filenam":"x"}}`, "/file/filenam"},
		{qapi.BlockdevOptions{}, `{"driver":"quorum","children":["a",{"driver":"null-co","syze":1}]}`, "/children/1/syze"},
		{qapi.BlockdevOptions{}, `{"driver":"ssh","path":"p","server":{"host":"h","port":"1","prot":1}}`, "/server/prot"},
		{qapi.BlockdevOptions{}, `{"driver":"newer","anything":1}`, ""},
		{qapi.BlockdevOptionsQcow2{}, `{"file":"f","overlap-check":{"template":"all","inactive_l2":true}}`, "/overlap-check/inactive_l2"},
		{qapi.TransactionAction{}, `{"type":"abort","data":{}}`, ""},
		{qapi.TransactionAction{}, `{"type":"abort","data":{},"date":{}}`, "/date"},
		{qapi.TransactionAction{}, `{"type":"blockdev-snapshot","data":{"node":"a","overlay":"b","overly":"c"}}`, "/data/overly"},
		{qapi.TransactionArgs{}, `{"actions":[{"type":"abort","data":{"x":1}}]}`, "/actions/0/data/x"},
		{qapi.MigrationAddress{}, `{"transport":"socket","type":"unix","path":"p"}`, ""},
		{qapi.MigrationAddress{}, `{"transport":"socket","type":"unix","path":"p","pth":"q"}`, "/pth"},
		{qapi.DeviceAddArgs{}, `{"driver":"d","whatever":{"x":1}}`, ""},
		{qapi.EjectArgs{}, `{"id":"a","forse":true}`, "/forse"},
		{qapi.DeviceDeletedEvent{}, `{"path":"/p","devise":"d"}`, "/devise"},
		{qapi.StatsFilter{}, `{"target":"vm","vcpu":[]}`, "/vcpu"},
		{[]qapi.SchemaInfo{}, `[{"name":"x","meta-type":"object","members":[{"name":"a","type":"int","tipe":"int"}]}]`, "/0/members/0/tipe"},
	} {
		x := reflect.New(reflect.TypeOf(c.into)).Interface()
		require.NoError(t, json.Unmarshal([]byte(c.text), x), c.text)
		err := json.Unmarshal([]byte(c.text), x, json.RejectUnknownMembers(true))
		if c.at == "" {
			require.NoError(t, err, c.text)
			continue
		}
		require.ErrorIs(t, err, json.ErrUnknownName, c.text)
		semantic, _ := errors.AsType[*json.SemanticError](err)
		assert.Equal(t, c.at, string(semantic.JSONPointer), c.text)
	}
}

// A value in an interface is counted as 512 bytes when it is decoded, whatever its type:
// no type is larger.
func TestVariantsAreSmall(t *testing.T) {
	sealed := map[reflect.Type]bool{}
	for _, typ := range allTypes {
		if typ.Kind() != reflect.Struct {
			continue
		}
		for field := range typ.Fields() {
			f := field.Type
			if f.Kind() == reflect.Slice {
				f = f.Elem()
			}
			if f.Kind() == reflect.Interface && f.NumMethod() > 0 {
				sealed[f] = true
			}
		}
	}
	assert.Greater(t, len(sealed), 40)
	for name, typ := range allTypes {
		for s := range sealed {
			if typ.Implements(s) {
				assert.LessOrEqual(t, typ.Size(), uintptr(512), name)
			}
		}
	}
}

// The tags of unions in unions are found in any place, however deep and long the members
// before them are.
func TestUnionsInUnions(t *testing.T) {
	const depth = 5000
	text := strings.Repeat(`{"file":`, depth) + `"last"` + strings.Repeat(`,"driver":"raw","node-name":"n"}`, depth)
	var x qapi.BlockdevOptions
	require.NoError(t, json.Unmarshal([]byte(text), &x))
	levels := 1
	for {
		require.Equal(t, "n", *x.NodeName)
		raw, ok := x.Driver.(qapi.BlockdevOptionsRaw)
		require.True(t, ok, "%T", x.Driver)
		if raw.File == qapi.Str("last") {
			break
		}
		x = raw.File.(qapi.BlockdevOptions)
		levels++
	}
	assert.Equal(t, depth, levels)
}
