package codec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// A Decoder reads one JSON value in a single pass that checks and decodes. It
// checks a context now and then, and counts the memory that the decoded value takes.
//
// After its first error it reads nothing more: its methods return zero values, and
// report that there are no more members and elements. So the code that uses it does not
// have to check errors; the function that made the Decoder returns the first one.
type Decoder struct {
	text   []byte
	at     int
	depth  int
	strict bool // an unknown member is an error

	ctx  context.Context
	look int // the index in text at which ctx is checked again
	left int // how many bytes of memory may still be allocated
	size int // of the whole text, on which that depends

	err     error // the first
	errAt   int   // the place in text of the value that err is about
	stopped bool  // err is not about the text

	strings    strings.Builder // where short strings are kept, several in one allocation
	scratch    []byte          // for strings with escapes
	raw        []byte          // where short JSON texts are kept, in the same way
	spare      []any           // a *[]T for each type of list and pointer, see there
	ahead      ahead
	meter      *json.Unmarshalers // charges what reflection allocates
	unmeasured int                // how much text reflection may still decode without the meter
}

const (
	// maxDepth is how deep values may nest, as in jsontext.
	maxDepth = 10000
	// lookEvery is how many bytes are read between two checks of the context.
	lookEvery = 64 << 10
	// fewBytes is how much text reflection decodes without counting memory: so little
	// text cannot take enough to be worth the time.
	fewBytes = 64 << 10
)

// budget returns how many bytes decoding a text of that size may allocate in all. Normal
// replies need much less: their structs have their required members, and take about as
// much memory as text. Without a limit, 16 MiB of [{},{},…] become several GiB of structs.
func budget(text int) int { return 64<<20 + 14*text }

var decoders sync.Pool

// decodeText decodes a text with a function. If the text is part of what another Decoder
// is decoding, that Decoder's context and budget apply.
func decodeText(ctx context.Context, text []byte, strict bool, within *Decoder, decode func(*Decoder)) error {
	d, _ := decoders.Get().(*Decoder)
	if d == nil {
		d = new(Decoder)
	}
	d.text, d.strict, d.ctx = text, strict, ctx
	d.size, d.unmeasured = len(text), fewBytes
	d.left = budget(d.size)
	if within != nil {
		d.ctx, d.size, d.left, d.unmeasured = within.ctx, within.size, within.left, within.unmeasured
	}
	decode(d)
	err := d.finish()
	if within != nil {
		within.left, within.unmeasured = d.left, d.unmeasured
	}
	d.release()
	return err
}

// release makes d available for use again. It keeps the memory for short strings; one
// string that is still used keeps all of it.
func (d *Decoder) release() {
	*d = Decoder{strings: d.strings, raw: d.raw, scratch: d.scratch[:0], meter: d.meter}
	if cap(d.scratch) > 64<<10 {
		d.scratch = nil
	}
	decoders.Put(d)
}

// fail stops decoding with an error about the value that is next.
//
//go:noinline
func (d *Decoder) fail(err error) {
	if d.err == nil {
		d.err, d.errAt = err, d.at
	}
	d.at = len(d.text)
}

// stop stops decoding with an error that is not about the text.
func (d *Decoder) stop(err error) {
	if d.err == nil {
		d.err, d.stopped = err, true
	}
	d.at = len(d.text)
}

// errSyntax stands for the error that jsontext has about a text.
var errSyntax = errors.New("not JSON")

// lenient are the options for text as servers print it.
var lenient = wirejson.Lenient()

// finish returns the first error, with its place, which is only looked for when there is
// an error, since that takes time.
func (d *Decoder) finish() error {
	if d.err == nil && d.peek() != 0 {
		d.fail(errSyntax)
	}
	if d.err == nil || d.stopped {
		return d.err
	}
	if err := check(d.text); err != nil {
		return err
	}
	return below(pointerAt(d.text, d.errAt), d.err)
}

// pointerAt returns the path of the value that begins at an index in text.
func pointerAt(text []byte, at int) jsontext.Pointer {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), lenient)
	for dec.InputOffset() <= int64(at) {
		if _, err := dec.ReadToken(); err != nil {
			break
		}
	}
	return dec.StackPointer()
}

// below returns err with its place put below at.
func below(at jsontext.Pointer, err error) error {
	if err == nil || at == "" {
		return err
	}
	sem, ok := err.(*json.SemanticError)
	if !ok {
		return &json.SemanticError{JSONPointer: at, Err: err}
	}
	moved := *sem
	moved.JSONPointer = at + sem.JSONPointer
	return &moved
}

// charge counts memory that is about to be allocated, and reports whether the budget allows it.
func (d *Decoder) charge(bytes int) bool {
	if d.left -= bytes; d.left < 0 {
		d.stop(fmt.Errorf("%d bytes of JSON would take more than %d MiB of memory, which is the limit for that much text",
			d.size, budget(d.size)>>20))
	}
	return d.err == nil
}

// pause checks the context.
func (d *Decoder) pause() {
	d.look = d.at + lookEvery
	if err := d.ctx.Err(); err != nil {
		d.stop(err)
	}
}
