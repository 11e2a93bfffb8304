package device

import (
	"context"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/printable"
	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/codec"
)

// peripheral is where devices with an id are.
const peripheral = "/machine/peripheral/"

// Read asks a server for the properties of a device that is there, by its id or its QOM path,
// and returns them in a T:
//
//	disk, err := device.Read[device.VirtioBlkPCI](ctx, c, "vd0")
//
// T is a type of this package or one of yours, of which the fields are read; a
// [qapi.DeviceAddArgs] gets all that can be read. Read fails if the device is of another type
// than T is for, and with an error of class DeviceNotFound if there is none.
//
// Read returns the state of the device, also of properties that nobody has set, so all bools and
// numbers are set. A property that points to another object, such as iothread and memdev, is the
// id of that object, if it has one. The features of a processor are not read.
func Read[T any](ctx context.Context, c *qapi.Client, id string) (T, error) {
	var x T
	if err := read(ctx, c, id, &x); err != nil {
		var none T
		return none, fmt.Errorf("device: reading %s: %w", id, err)
	}
	return x, nil
}

// read reads a device into what x points to.
func read(ctx context.Context, c *qapi.Client, id string, x any) error {
	at := id
	if !strings.HasPrefix(id, "/") {
		at = peripheral + id
	}
	values, err := readValues(ctx, c, at, wanted(x))
	if err != nil {
		return err
	}
	driver, bus := text(values["type"]), text(values["parent_bus"])
	if err := check(x, driver); err != nil {
		return err
	}
	members := map[string]jsontext.Value{}
	for name, v := range values {
		if name != "type" && name != "parent_bus" {
			members[name] = v.json()
		}
	}
	if own, ok := strings.CutPrefix(at, peripheral); ok {
		members["id"] = quoted(own)
	}
	if bus != "" {
		members["bus"] = quoted(path.Base(bus))
	}
	if _, ok := x.(*qapi.DeviceAddArgs); ok {
		members["driver"] = quoted(driver)
	}
	object, err := json.Marshal(members, json.Deterministic(true))
	if err != nil {
		return err
	}
	return codec.Decode(ctx, object, x)
}

// check reports whether a device of a type can be read into what x points to.
func check(x any, driver string) error {
	if m, ok := x.(modelled); ok {
		return m.setDriver(driver)
	}
	if d, ok := x.(qapi.Device); ok {
		if want := d.DeviceDriver(); want != "" && want != driver {
			return fmt.Errorf("it is a %s, not a %s", printable.String(driver), want)
		}
	}
	return nil
}

// wanted returns the properties for which the value that x points to has fields; nil stands for all.
func wanted(x any) []string {
	t := reflect.TypeOf(x).Elem()
	if _, open := x.(*qapi.DeviceAddArgs); open || t.Kind() != reflect.Struct {
		return nil
	}
	names := []string{"type", "parent_bus"}
	_, isModelled := x.(modelled)
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "" || name == "-" || name == "id" || name == "bus" || name == "props":
		case isModelled && (name == "model" || name == "features"):
		default:
			names = append(names, name)
		}
	}
	return names
}

// A value is the value of a property.
type value struct {
	typ  string
	text jsontext.Value
}

// json returns the value as a device accepts it: for a link, the id of the object, if it has one.
func (v value) json() jsontext.Value {
	if !strings.HasPrefix(v.typ, "link<") {
		return v.text
	}
	to := text(v)
	for _, folder := range []string{"/objects/", peripheral} {
		if id, ok := strings.CutPrefix(to, folder); ok && !strings.Contains(id, "/") {
			return quoted(id)
		}
	}
	return v.text
}

// text returns a value that is a string.
func text(v value) string { return string(wirejson.Unquote(v.text)) }

func quoted(s string) jsontext.Value {
	q, err := jsontext.AppendQuote(nil, s)
	if err != nil { // it is not UTF-8, so it was not in the server's JSON
		return jsontext.Value(`""`)
	}
	return q
}

// readable reports whether a property of a device has a value that can be read.
func readable(name, typ string, wanted []string) bool {
	if wanted != nil {
		return slices.Contains(wanted, name)
	}
	return !strings.HasPrefix(typ, "child<") && !strings.ContainsRune(name, '[') &&
		!slices.Contains([]string{"hotpluggable", "hotplugged", "realized"}, name)
}

// readValues returns the properties of the object at a path: those that are wanted, and can be
// read.
func readValues(ctx context.Context, c *qapi.Client, at string, wanted []string) (map[string]value, error) {
	values := map[string]value{}
	version, err := serverVersion(ctx, c)
	if err != nil {
		return nil, err
	}
	if version.AtLeast(10, 1) { // it returns all properties with one command
		objects, err := c.QOMListGet(ctx, qapi.QOMListGetArgs{Paths: []string{at}})
		refused, _ := errors.AsType[*qmp.Error](err)
		switch {
		case refused != nil && refused.Class == qmp.ClassCommandNotFound: // the command is disabled
		case err != nil:
			return nil, err
		case len(objects) > 0:
			for _, p := range objects[0].Properties {
				if len(p.Value) > 0 && readable(p.Name, p.Type, wanted) {
					values[p.Name] = value{p.Type, jsontext.Value(p.Value)}
				}
			}
			return values, nil
		}
	}
	list, err := c.QOMList(ctx, qapi.QOMListArgs{Path: at})
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, func(p qapi.ObjectPropertyInfo) bool { return !readable(p.Name, p.Type, wanted) })
	return values, getValues(ctx, c, at, list, values)
}

// getValues asks for all properties of a list at once.
func getValues(ctx context.Context, c *qapi.Client, at string, list []qapi.ObjectPropertyInfo, values map[string]value) error {
	texts, errs := make([]jsontext.Value, len(list)), make([]error, len(list))
	var wait sync.WaitGroup
	for i, p := range list {
		wait.Go(func() { // not Conn.Go, whose callbacks need workers: a handler that calls Read would wait for its own worker
			errs[i] = c.Conn().Execute(ctx, "qom-get", qapi.QOMGetArgs{Path: at, Property: p.Name}, &texts[i])
		})
	}
	wait.Wait()
	for i, p := range list {
		if _, refused := errors.AsType[*qmp.Error](errs[i]); refused {
			continue // this property cannot be read
		}
		if errs[i] != nil {
			return errs[i]
		}
		values[p.Name] = value{p.Type, texts[i]}
	}
	return nil
}

// serverVersion returns the version in the server's greeting; if there was none, it asks the server.
func serverVersion(ctx context.Context, c *qapi.Client) (qmp.Version, error) {
	if v := c.Conn().Greeting().Version; v.Major > 0 {
		return v, nil
	}
	v, err := c.QueryVersion(ctx)
	return v.Version(), err
}
