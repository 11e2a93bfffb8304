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

	nextCheck int // the index in text at which the context is checked again
	limits

	err     error // the first
	errAt   int   // the place in text of the value that err is about
	stopped bool  // err is not about the text

	strings       strings.Builder    // where short strings are kept, several in one allocation
	raw           []byte             // where short JSON texts are kept, in the same way
	scratch       []byte             // for strings with escapes
	skippingAhead bool               // skipAhead is looking for the end of a value
	ends          map[int]int        // the ends of the long values that skipAhead has skipped, by their beginnings
	meter         *json.Unmarshalers // charges what reflection allocates
}

// limits are shared by a Decoder and those that decode parts of its text: how much they may use
// together, and how much they have used.
type limits struct {
	ctx        context.Context
	left       int   // how many bytes of memory may still be allocated
	size       int   // of the whole text, on which left depends
	unmeasured int   // how much text reflection may still decode without the meter
	spare      []any // a *[]T for each type of list and pointer; see the function spare
}

const (
	// maxDepth is how deep values may nest, as in jsontext.
	maxDepth = 10000
	// checkEvery is how many bytes are read between two checks of the context.
	checkEvery = 64 << 10
	// fewBytes is how much text reflection decodes without counting memory, since counting makes
	// decoding three times as slow: so little text cannot need much memory.
	fewBytes = 64 << 10
)

// budget returns how many bytes may be allocated to decode a text of this size. Normal replies need
// much less: a struct takes about as many bytes as the JSON of its required members. Without
// a limit, 16 MiB of [{},{},…] become several GiB of structs.
func budget(text int) int { return 64<<20 + 14*text }

var decoders sync.Pool

// decodeText decodes a text with a function. If the text is part of what another Decoder
// is decoding, that Decoder's limits apply.
func decodeText(ctx context.Context, text []byte, strict bool, within *Decoder, decode func(*Decoder)) error {
	d, _ := decoders.Get().(*Decoder)
	if d == nil {
		d = new(Decoder)
	}
	d.text, d.strict = text, strict
	d.limits = limits{ctx: ctx, left: budget(len(text)), size: len(text), unmeasured: fewBytes}
	if within != nil {
		d.limits = within.limits
	}
	decode(d)
	err := d.finish()
	if within != nil {
		within.limits = d.limits
	}
	d.release()
	return err
}

// release makes d available for use again, with its memory for short strings. One string that is
// still used keeps all of that memory.
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
	d.stopped = d.stopped || d.err == nil
	d.fail(err)
}

// errSyntax stands for the error that jsontext has about a text.
var errSyntax = errors.New("not JSON")

// lenient are the options for text as servers print it.
var lenient = wirejson.Lenient()

// finish returns the first error, with its path. It looks for the path only if there is an error,
// since that takes time.
func (d *Decoder) finish() error {
	if d.err == nil && d.peek() != 0 {
		d.fail(errSyntax)
	}
	if d.err == nil || d.stopped {
		return d.err
	}
	if err := wirejson.SyntaxError(d.text); err != nil {
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

// below returns err with the path at before its own path.
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

// checkContext checks the context.
func (d *Decoder) checkContext() {
	d.nextCheck = d.at + checkEvery
	if err := d.ctx.Err(); err != nil {
		d.stop(err)
	}
}
