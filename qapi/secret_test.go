package qapi_test

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
)

// prints returns a value in all forms in which people may read it.
func prints(v any) map[string]string {
	log := func(h func(*bytes.Buffer) slog.Handler) string {
		var out bytes.Buffer
		slog.New(h(&out)).Info("x", "v", v, slog.Group("g", "v", v))
		return out.String()
	}
	return map[string]string{
		"%v": fmt.Sprintf("%v", v), "%+v": fmt.Sprintf("%+v", v), "%#v": fmt.Sprintf("%#v", v), "%s": fmt.Sprintf("%s", v),
		"slog, text": log(func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) }),
		"slog, JSON": log(func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) }),
		"Text":       qapi.Text(v),
	}
}

// Each type that can hold a secret hides it, however it is printed.
func TestSecretsAreNotPrinted(t *testing.T) {
	const url = "https://u:hunter2@h/x"
	for _, v := range []any{
		qapi.ChangeVNCPasswordArgs{Password: "hunter2"},
		&qapi.ChangeVNCPasswordArgs{Password: "hunter2"},
		[]qapi.ObjectOptionsSecret{}, // it is empty
		qapi.HumanMonitorCommandArgs{CommandLine: "set_password vnc hunter2"},
		qapi.QOMSetArgs{Path: "/objects/s0", Property: "data", Value: "hunter2"},
		qapi.SEVInjectLaunchSecretArgs{PacketHeader: "h", Secret: "hunter2"},
		qapi.ObjectOptions{ID: "s", QOMType: qapi.ObjectOptionsSecret{Data: new("hunter2")}},
		qapi.ObjectOptionsSecret{Data: new("hunter2")},
		qapi.Unknown{Tag: "secret", JSON: stdjson.RawMessage(`{"data":"hunter2"}`)},
		qapi.SetPasswordOptions{Password: "hunter2", Protocol: qapi.SetPasswordOptionsVNC{}},
		qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsHTTPS{URL: url, Cookie: new("hunter2")}},
		qapi.BlockdevOptionsHTTPS{URL: url, Cookie: new("hunter2")},
		qapi.BlockdevOptionsQcow2{File: qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsHTTPS{URL: url}}},
		qapi.BlockdevOptionsRaw{File: qapi.Unknown{JSON: stdjson.RawMessage(`{"password":"hunter2"}`)}},
		qapi.BlockInfo{Inserted: &qapi.BlockDeviceInfo{File: url, Image: qapi.ImageInfo{Filename: `json:{"cookie": "hunter2"}`}}},
		qapi.ImageInfo{Filename: url, FullBackingFilename: new(`json:{"password": "hunter2`)},
		qapi.MigrateArgs{URI: new("exec:ssh hunter2")},
		qapi.MigrationAddressExec{Args: []string{"hunter2"}},
		qapi.MigrationChannel{Addr: qapi.MigrationAddress{Transport: qapi.MigrationAddressExec{Args: []string{"hunter2"}}}},
		qapi.SendKeyArgs{Keys: []qapi.KeyValue{{Type: qapi.KeyValueQcode("hunter2")}}},
		qapi.JobInfo{Error: new("Could not open '" + url + "'")},
		qapi.BlockJobCompletedEvent{Error: new("Could not open '" + url + "'")},
		qapi.DeviceAddArgs{Driver: "x", Props: map[string]any{"password": "hunter2"}},
		qapi.RingbufWriteArgs{Device: "c", Data: "hunter2"},
	} {
		for how, text := range prints(v) {
			assert.NotContains(t, text, "hunter2", "%T: %s", v, how)
			assert.NotRegexp(t, `0xc[0-9a-f]{9}`, text, "%T: %s", v, how)
		}
	}
	assert.Equal(t, `qapi.ChangeVNCPasswordArgs({"password":"[redacted]"})`, fmt.Sprintf("%#v", qapi.ChangeVNCPasswordArgs{Password: "x"}))
	assert.Equal(t, `{"qom-type":"secret","data":"[redacted]"}`, fmt.Sprint(qapi.ObjectOptionsSecret{Data: new("x")}))
	assert.Contains(t, prints(qapi.ChangeVNCPasswordArgs{Password: "x"})["slog, JSON"], `"v":{"password":"[redacted]"}`)
}

func TestText(t *testing.T) {
	type mine struct{ V any }
	assert.Equal(t, `{"V":[{"qom-type":"secret","data":"[redacted]"}]}`, qapi.Text(mine{[]any{&qapi.ObjectOptionsSecret{Data: new("hunter2")}}}))
	assert.Equal(t, `[{"password":"[redacted]"}]`, qapi.Text([]*qapi.ChangeVNCPasswordArgs{{Password: "hunter2"}}))
	assert.Equal(t, `{"a":{"id":"x"},"b":null}`, qapi.Text(map[string]any{"b": nil, "a": &qapi.EjectArgs{ID: new("x")}}))
	assert.Regexp(t, `^%!v\(json: .* marshal from Go func\(\)\)$`, qapi.Text(func() {})) // the module varies its words
	assert.Contains(t, qapi.Text(qapi.BlockdevOptions{}), "not set")
	err := fmt.Errorf("disk: %w", &qmp.Error{Command: "blockdev-add", Class: "GenericError", Desc: `Could not open 'json:{"cookie": "hunter2"}'`})
	assert.Equal(t, `disk: qmp: blockdev-add: Could not open 'json:{"cookie":"[redacted]"}'`, qapi.Text(err))
	assert.Equal(t, `"x"`, qapi.Text("x"))
	assert.Equal(t, `null`, qapi.Text((*qapi.BlockdevOptions)(nil)))
	assert.Equal(t, `[null]`, qapi.Text([]*qapi.ChangeVNCPasswordArgs{nil}))
	assert.Equal(t, "no", qapi.Text(errors.New("no")))
}

// What a type prints by itself has a limit.
func TestPrintIsCut(t *testing.T) {
	v := qapi.BlockdevOptions{Driver: qapi.Unknown{Tag: "x", JSON: stdjson.RawMessage(`{"a":"` + strings.Repeat("x", 1<<20) + `"}`)}}
	for how, text := range prints(v) {
		assert.Less(t, len(text), 2*66<<10, how)
		assert.Contains(t, text, "… (1048597 bytes)", how)
	}
}

// Printing takes memory in proportion to what is printed, however deeply values are nested.
func TestPrintCost(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, 500) + `"` + strings.Repeat("x", 1<<20) + `"` + strings.Repeat(`]}`, 500)
	unknown := qapi.BlockdevOptions{Driver: qapi.Unknown{Tag: "x", JSON: stdjson.RawMessage(`{"a":` + deep + `}`)}}
	nested := qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsNullCo{}}
	for range 500 {
		nested = qapi.BlockdevOptions{NodeName: new(strings.Repeat("n", 2000)), Driver: qapi.BlockdevOptionsRaw{File: nested}}
	}
	for name, v := range map[string]any{"unknown variant": unknown, "unions in unions": nested} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		text := fmt.Sprint(v)
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
		t.Logf("%s: %d bytes printed, %d MiB allocated in all", name, len(text), allocated)
		assert.Contains(t, text, " bytes)", name)
		assert.Less(t, allocated, uint64(64), name)
	}
}

// TestEveryType fills all types, and checks that they do not print the secrets that are
// in their JSON.
func TestEveryType(t *testing.T) {
	marks := regexp.MustCompile(`mark\d+x`)
	secretsOf := func(v any) (secret []string) {
		text, err := json.Marshal(v)
		require.NoError(t, err, "%T", v)
		left := string(redact.JSON(text))
		for _, mark := range marks.FindAllString(string(text), -1) {
			if !strings.Contains(left, mark) {
				secret = append(secret, mark)
			}
		}
		return secret
	}
	holders := 0
	check := func(v any, secret []string) {
		if len(secret) == 0 {
			return
		}
		holders++
		for how, text := range prints(v) {
			for _, mark := range secret {
				assert.NotContains(t, text, mark, "%T: %s", v, how)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(allTypes)) {
		typ := allTypes[name]
		if typ.Kind() != reflect.Struct || name == "Unknown" {
			continue
		}
		for _, choice := range choices(typ) {
			f := filler{choice: choice}
			v := f.fill(typ, 0)
			check(v.Interface(), secretsOf(v.Interface()))
			for _, field := range v.Fields() { // a variant on its own has the secrets of the union
				if field.Kind() == reflect.Interface && field.NumMethod() > 0 && !field.IsNil() {
					check(field.Interface(), secretsOf(v.Interface()))
				}
			}
		}
	}
	assert.Greater(t, holders, 40)
}

// choices returns the types that the interfaces in a struct's fields can hold.
func choices(typ reflect.Type) []reflect.Type {
	var all []reflect.Type
	for field := range typ.Fields() {
		if t := field.Type; t.Kind() == reflect.Interface && t.NumMethod() > 0 {
			all = append(all, holdable(t)...)
		}
	}
	if all == nil {
		all = []reflect.Type{nil}
	}
	return all
}

func holdable(iface reflect.Type) (list []reflect.Type) {
	for _, name := range slices.Sorted(maps.Keys(allTypes)) {
		if typ := allTypes[name]; typ.Implements(iface) && name != "Unknown" {
			list = append(list, typ)
		}
	}
	return list
}

// A filler makes values in which each string is different.
type filler struct {
	choice reflect.Type
	marks  int
}

func (f *filler) fill(typ reflect.Type, depth int) reflect.Value {
	v := reflect.New(typ).Elem()
	switch typ.Kind() {
	case reflect.String:
		f.marks++
		v.SetString(fmt.Sprintf("mark%dx", f.marks))
	case reflect.Pointer:
		if depth < 6 {
			v.Set(reflect.New(typ.Elem()))
			v.Elem().Set(f.fill(typ.Elem(), depth+1))
		}
	case reflect.Slice:
		switch {
		case typ == reflect.TypeFor[stdjson.RawMessage]():
			v.SetBytes([]byte(`"raw"`))
		case typ.Elem().Kind() == reflect.Uint8:
			v.SetBytes([]byte("bytes"))
		case depth < 6:
			v.Set(reflect.Append(v, f.fill(typ.Elem(), depth+1)))
		}
	case reflect.Struct:
		for i := range typ.NumField() {
			if typ.Field(i).IsExported() {
				v.Field(i).Set(f.fill(typ.Field(i).Type, depth+1))
			}
		}
	case reflect.Interface:
		if typ.NumMethod() == 0 {
			f.marks++
			v.Set(reflect.ValueOf(fmt.Sprintf("mark%dx", f.marks)))
			break
		}
		held := f.choice
		if held == nil || !held.Implements(typ) {
			held = smallest(holdable(typ))
		}
		if depth > 3 {
			held = smallest(holdable(typ))
		}
		v.Set(f.fill(held, depth+1))
	}
	return v
}

// smallest is the type with the fewest fields, so that filling ends.
func smallest(types []reflect.Type) reflect.Type {
	return slices.MinFunc(types, func(a, b reflect.Type) int { return size(a) - size(b) })
}

func size(t reflect.Type) int {
	if t.Kind() == reflect.Struct {
		return t.NumField()
	}
	return 0
}
