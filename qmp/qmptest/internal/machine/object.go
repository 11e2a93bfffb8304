package machine

import (
	"encoding/base64"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// An object was made by a user. Its properties are not kept, since they may be secrets.
type object struct {
	id, kind string
	iothread *qapi.IOThreadInfo // what queries show of an I/O thread; nil: it is not one
	memdev   *qapi.Memdev       // what queries show of a memory backend; nil: it is not one
}

func (m *Machine) objectCommands() map[string]Handler {
	return map[string]Handler{
		"object-add":      change(m, m.objectAdd),
		"object-del":      change(m, m.objectDel),
		"query-iothreads": query(m, m.queryIOThreads),
	}
}

func (m *Machine) object(id string) *object {
	if i := slices.IndexFunc(m.objects, func(o *object) bool { return o.id == id }); i >= 0 {
		return m.objects[i]
	}
	return nil
}

func (m *Machine) objectAdd(args qapi.ObjectOptions, req Request) error {
	if !m.since("6.0") {
		var err error
		if args, req, err = unfold(args, req); err != nil {
			return err
		}
	}
	if !wellFormed(args.ID) && m.since("6.0") {
		return badID()
	}
	if err := known(args, req); err != nil {
		return err
	}
	if err := checkObject(args); err != nil {
		return err
	}
	memdev, err := newMemdev(args.ID, string(args.QOMType.ObjectType()), req)
	if err != nil {
		return err
	}
	if m.object(args.ID) != nil {
		return generic("attempt to add duplicate property '%s' to object (type 'container')", args.ID)
	}
	o := &object{id: args.ID, kind: string(args.QOMType.ObjectType()), memdev: memdev}
	if args, ok := args.QOMType.(qapi.ObjectOptionsIothread); ok {
		o.iothread = m.newIOThread(o.id, args)
	}
	m.objects = append(m.objects, o)
	return nil
}

// checkObject returns why an object cannot be made of what it was given.
func checkObject(args qapi.ObjectOptions) error {
	switch o := args.QOMType.(type) {
	case qapi.ObjectOptionsIothread:
		for name, v := range map[string]*int64{
			"poll-max-ns": o.PollMaxNs, "poll-grow": o.PollGrow, "poll-shrink": o.PollShrink, "aio-max-batch": o.AioMaxBatch,
			"thread-pool-min": o.ThreadPoolMin, "thread-pool-max": o.ThreadPoolMax,
		} {
			if value(v) < 0 {
				return generic("%s value must be in range [0, %d]", name, int64(math.MaxInt64))
			}
		}
		if value(o.ThreadPoolMin) > valueOr(o.ThreadPoolMax, 64) {
			return generic("bad thread-pool-min/thread-pool-max values")
		}
	case qapi.ObjectOptionsMainLoop:
		return checkObject(qapi.ObjectOptions{QOMType: qapi.ObjectOptionsIothread{
			AioMaxBatch: o.AioMaxBatch, ThreadPoolMin: o.ThreadPoolMin, ThreadPoolMax: o.ThreadPoolMax,
		}})
	case qapi.ObjectOptionsSecret:
		if (o.Data == nil) == (o.File == nil) {
			return generic("One of 'file' and 'data' must be provided, not both")
		}
		if valueOr(o.Format, qapi.QCryptoSecretFormatRaw) == qapi.QCryptoSecretFormatBase64 && o.Data != nil && !isBase64(*o.Data) {
			return generic("Base64 data contains invalid characters")
		}
	}
	return nil
}

// isBase64 reports whether a text is in base64. Its end need not be filled up.
func isBase64(text string) bool {
	_, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil
}

// unfold moves what is in the member props next to the other members. QEMU 5.2 still accepts
// props, as earlier releases did.
func unfold(args qapi.ObjectOptions, req Request) (qapi.ObjectOptions, Request, error) {
	var given, props map[string]jsontext.Value
	if err := req.Decode(&given); err != nil || given["props"] == nil {
		return args, req, err
	}
	if err := json.Unmarshal(given["props"], &props); err != nil {
		return args, req, generic("Invalid parameter type for 'props', expected: object")
	}
	delete(given, "props")
	maps.Copy(given, props)
	text, err := json.Marshal(given)
	if err != nil {
		return args, req, err
	}
	req = unfolded{req, text}
	return args, req, req.Decode(&args)
}

// An unfolded request has the arguments that unfold has made from those of the client.
type unfolded struct {
	Request
	text []byte
}

func (u unfolded) Decode(v any) error { return json.Unmarshal(u.text, v) }

// known checks what the schema of QEMU 5.2 leaves to object-add: the type of an
// object, and the names of its properties.
func known(args qapi.ObjectOptions, req Request) error {
	kind := args.QOMType.ObjectType()
	if !kind.Known() {
		return generic("invalid object type: %s", kind)
	}
	var given, read map[string]jsontext.Value
	if err := req.Decode(&given); err != nil {
		return err
	}
	text, err := json.Marshal(args)
	if err == nil {
		err = json.Unmarshal(text, &read)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := read[name]; !ok && err == nil {
			return generic("Property '%s.%s' not found", kind, name)
		}
	}
	return err
}

func (m *Machine) newIOThread(id string, args qapi.ObjectOptionsIothread) *qapi.IOThreadInfo {
	info := &qapi.IOThreadInfo{
		ID:          id,
		ThreadID:    m.newThread(),
		PollMaxNs:   32768,
		AioMaxBatch: value(args.AioMaxBatch),
	}
	if m.since("11.1") {
		info.PollGrow, info.PollShrink, info.PollWeight = 2, 2, 3
	}
	for _, set := range []struct{ to, given *int64 }{
		{&info.PollMaxNs, args.PollMaxNs}, {&info.PollGrow, args.PollGrow},
		{&info.PollShrink, args.PollShrink}, {&info.PollWeight, args.PollWeight},
	} {
		if set.given != nil {
			*set.to = *set.given
		}
	}
	if m.since("11.1") && info.PollWeight == 0 {
		info.PollWeight = 3
	}
	return info
}

func (m *Machine) objectDel(args qapi.ObjectDelArgs, _ Request) error {
	i := slices.IndexFunc(m.objects, func(o *object) bool { return o.id == args.ID })
	switch {
	case i < 0:
		return generic("object '%s' not found", args.ID)
	case m.userOf("memdev", objects+args.ID) != nil,
		slices.ContainsFunc(m.nodes, func(n *node) bool { return n.group == args.ID }):
		return generic("object '%s' is in use, can not be deleted", args.ID)
	}
	m.objects = slices.Delete(m.objects, i, i+1)
	return nil
}

func (m *Machine) queryIOThreads() []qapi.IOThreadInfo {
	all := []qapi.IOThreadInfo{}
	for _, o := range m.objects {
		if o.iothread != nil {
			all = append(all, *o.iothread)
		}
	}
	return all
}
