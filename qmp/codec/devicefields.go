package codec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json/jsontext"
)

// EncodeDevice writes the device that x points to, a struct of a package of devices: its
// driver, the fields that are set by the names in their json tags, and what is in its maps,
// beside them. A field with a tag driver, such as driver:"-x86_64-cpu", is the driver
// without that end.
func EncodeDevice(enc *jsontext.Encoder, x Driver) error {
	v := reflect.ValueOf(x).Elem()
	fields := fieldsOf(v.Type())
	return EncodeObject(enc, v.Type().String(), func(e *Encoder) {
		if driver := x.DeviceDriver(); driver != "" {
			e.String("driver", driver)
		}
		for _, f := range fields.list {
			if v := v.Field(f.at); !v.IsZero() {
				e.field(f.name, v)
			}
		}
		for _, at := range fields.maps {
			e.beside(fields, v.Type().Field(at).Name, v.Field(at))
		}
	})
}

// field writes a member by what kind of value it is.
func (e *Encoder) field(name string, v reflect.Value) {
	of := v
	if v.Kind() == reflect.Pointer {
		of = v.Elem()
	}
	switch {
	case of.Kind() == reflect.String:
		e.String(name, of.String())
	case of.Kind() == reflect.Bool:
		e.Bool(name, of.Bool())
	case of.CanInt():
		e.Int(name, of.Int())
	case of.CanUint():
		e.Uint(name, of.Uint())
	default:
		e.Value(name, of.Addr().Interface())
	}
}

// beside writes what a map of a device holds.
func (e *Encoder) beside(fields *fields, field string, v reflect.Value) {
	switch members := v.Interface().(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if v := members[name]; e.mayHave(fields, field, name) && !isNil(v) {
				e.Value(name, v)
			}
		}
	case map[string]bool:
		for _, name := range slices.Sorted(maps.Keys(members)) {
			if e.mayHave(fields, field, name) {
				e.Bool(name, members[name])
			}
		}
	}
}

// mayHave reports whether a map may have a member; if not, that becomes the error.
func (e *Encoder) mayHave(fields *fields, field, name string) bool {
	if _, known := fields.byName[name]; known || name == "driver" {
		e.failed(fmt.Errorf("%s.%s has '%s', which is a member of its own", e.typ, field, name))
	}
	return e.err == nil
}

// DecodeDevice reads what [EncodeDevice] writes into the struct that x points to. What has no
// field goes into the map for that: true and false into a map of bools, if there is one.
func DecodeDevice(d *Decoder, x Driver) {
	v := reflect.ValueOf(x).Elem()
	fields := fieldsOf(v.Type())
	for ok := d.Object(v.Type().String()); ok; ok = d.Member() {
		name := string(d.name)
		if name == "driver" {
			d.driver(x, fields, v)
		} else if f, known := fields.byName[name]; known {
			d.Value(v.Field(f.at).Addr().Interface())
		} else {
			d.beside(fields, v)
		}
	}
}

// driver reads the driver, which must be that of x.
func (d *Decoder) driver(x Driver, fields *fields, v reflect.Value) {
	d.Check(func() error {
		driver, want := d.String(), x.DeviceDriver()
		if fields.driver >= 0 {
			want = "…" + fields.suffix
			if model, ok := strings.CutSuffix(driver, fields.suffix); ok {
				v.Field(fields.driver).SetString(model)
				return nil
			}
		}
		if driver != want {
			return fmt.Errorf("the driver is %q, not %q", driver, want)
		}
		return nil
	})
}

// beside reads a member into a map.
func (d *Decoder) beside(fields *fields, v reflect.Value) {
	kind := d.Kind()
	for _, at := range fields.maps {
		switch m := v.Field(at).Addr().Interface().(type) {
		case *map[string]bool:
			if kind != 't' && kind != 'f' {
				continue
			}
			if *m == nil {
				d.charge(mapSize)
				*m = map[string]bool{}
			}
			d.charge(entrySize)
			name := d.keep(d.name)
			(*m)[name] = d.Bool()
			return
		case *map[string]any:
			d.Prop(m)
			return
		}
	}
	d.Unknown()
}

// fields are those of a type of device.
type fields struct {
	list   []field
	byName map[string]field
	maps   []int  // the fields for members that have none
	driver int    // the field for the driver; -1: there is none
	suffix string // of the driver, which that field does not hold
}

type field struct {
	name string
	at   int
}

var deviceFields sync.Map // *fields by reflect.Type

func fieldsOf(t reflect.Type) *fields {
	if known, ok := deviceFields.Load(t); ok {
		return known.(*fields)
	}
	f := &fields{byName: map[string]field{}, driver: -1}
	for i := range t.NumField() {
		of := t.Field(i)
		name, _, _ := strings.Cut(of.Tag.Get("json"), ",")
		suffix, isDriver := of.Tag.Lookup("driver")
		switch {
		case isDriver:
			f.driver, f.suffix = i, suffix
		case of.Type.Kind() == reflect.Map:
			f.maps = append(f.maps, i)
		default:
			one := field{name, i}
			f.list = append(f.list, one)
			f.byName[name] = one
		}
	}
	known, _ := deviceFields.LoadOrStore(t, f)
	return known.(*fields)
}
