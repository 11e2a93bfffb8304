package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/schema"
)

// Refuse returns the release's error for a command's arguments, or "" if it accepts
// them. nil means no arguments.
func (r *Release) Refuse(c *schema.Command, args []byte) string {
	object := map[string]any{}
	if args != nil {
		v, err := parse(args)
		if err != nil {
			return err.Error()
		}
		object, _ = v.(map[string]any) // other requests were refused before
	}
	f := &fitter{rel: r, args: true}
	switch {
	case !c.Gen:
		f.options(c.Args, object)
	case c.Args == nil:
		f.object(&schema.Struct{}, nil, object, "")
	default:
		f.object(c.Args, nil, object, "")
	}
	if len(f.misfits) == 0 {
		return ""
	}
	return f.misfits[0].refusal
}

// A Value is JSON from a test that is checked against the schema.
type Value struct {
	JSON []byte
	// Typed says that the value was encoded from the types of package qapi or qga, which are
	// for all releases. Members that a release does not have are left out if they are not set,
	// and members that the newest release no longer has need not be set.
	Typed bool
}

// Reply returns a command's reply as this release would send it, and an error if it would not send
// such a reply.
func (r *Release) Reply(c *schema.Command, v Value) ([]byte, error) {
	var now schema.Type
	if newest, ok := r.newest.Lookup(c.Name).(*schema.Command); ok {
		now = newest.Returns
	}
	return r.fit(c.Returns, now, v)
}

// Data returns an event's data as this release would send them, and an error if it would not send
// such data. nil means no data.
func (r *Release) Data(e *schema.Event, v Value) ([]byte, error) {
	var now schema.Type
	if newest, ok := r.newest.Lookup(e.Name).(*schema.Event); ok {
		now = newest.Data
	}
	none := v.JSON == nil
	if none {
		v.JSON = []byte("{}")
	}
	text, err := r.fit(e.Data, now, v)
	if none && string(text) == "{}" {
		text = nil
	}
	return text, err
}

func (r *Release) fit(t, now schema.Type, v Value) ([]byte, error) {
	value, err := parse(v.JSON)
	if err != nil {
		return nil, err
	}
	if t == nil {
		t = &schema.Struct{}
	}
	f := &fitter{rel: r, typed: v.Typed}
	f.value(t, now, value, "")
	if len(f.misfits) > 0 {
		return nil, misfitError(f.misfits)
	}
	if !f.changed {
		return v.JSON, nil
	}
	return json.Marshal(value)
}

// A misfit is something that is wrong with a value.
type misfit struct {
	text    string // for people
	refusal string // QEMU's error, if a client sent the value
}

// misfitError lists the first misfits.
func misfitError(all []misfit) error {
	const most = 5
	var texts []string
	for i, m := range all {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		texts = append(texts, m.text)
	}
	return errors.New(strings.Join(texts, "; "))
}

// parse decodes JSON without losing a digit.
func parse(text []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	err := dec.Decode(&v)
	return v, err
}
