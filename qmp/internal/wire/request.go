package wire

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// maxNesting is how deep QEMU allows a message to nest. It answers a deeper one with
// many errors that do not name a command.
const maxNesting = 1024

// Scratch is the memory for a request or a reply, used again by later ones.
type Scratch struct{ Buf bytes.Buffer }

var scratches = sync.Pool{New: func() any { return new(Scratch) }}

// NewScratch returns an empty Scratch.
func NewScratch() *Scratch { return scratches.Get().(*Scratch) }

// Release makes s available for use again; nil is ignored.
func (s *Scratch) Release() {
	if s != nil && s.Buf.Cap() <= 64<<10 {
		s.Buf.Reset()
		scratches.Put(s)
	}
}

// Command writes a request without arguments, without its id and its last brace.
func Command(verb, command string) (*Scratch, error) {
	s := NewScratch()
	b := &s.Buf
	b.WriteString(`{"`)
	b.WriteString(verb)
	b.WriteString(`":`)
	name, err := jsontext.AppendQuote(b.AvailableBuffer(), command)
	if err != nil {
		return nil, fmt.Errorf("qmp: command name %q: %w", command, err)
	}
	b.Write(name)
	return s, nil
}

// Arguments adds the arguments to the request for a command.
func (s *Scratch) Arguments(command string, args any) error {
	const before = `,"arguments":`
	b := &s.Buf
	b.WriteString(before)
	at := b.Len()
	if err := json.MarshalWrite(b, args, json.Deterministic(true)); err != nil {
		return fmt.Errorf("qmp: %s: arguments: %w", command, JSONError(err))
	}
	switch text := b.Bytes()[at:]; {
	case string(text) == "{}" || string(text) == "null":
		b.Truncate(at - len(before))
	case text[0] != '{':
		return fmt.Errorf("qmp: %s: arguments: %T is not a JSON object, but %.100s", command, args, text)
	case tooNested(text, maxNesting-1):
		return fmt.Errorf("qmp: %s: the arguments nest deeper than QEMU's limit of %d levels", command, maxNesting)
	}
	return nil
}

// tooNested reports whether text, an object in JSON, has more levels than limit.
func tooNested(text []byte, limit int) bool {
	if len(text) < 2*limit {
		return false
	}
	var place wirejson.Nesting
	for _, c := range text {
		if place.Next(c); place.Depth > limit {
			return true
		}
	}
	return false
}

// Whole checks a message that the user built. It returns the message's id if that is
// a positive integer below 1<<53, and otherwise 0. The id may be written as 7.0 or 7e0: a
// server may send it back as 7.
func Whole(text []byte) (number int64, err error) {
	var members struct {
		ID jsontext.Value `json:"id"`
	}
	switch {
	case jsontext.Value(text).Kind() != '{':
		return 0, errors.New("qmp: the message is not a JSON object")
	case tooNested(text, maxNesting):
		return 0, fmt.Errorf("qmp: the message nests deeper than QEMU's limit of %d levels", maxNesting)
	}
	if err := json.Unmarshal(text, &members, jsontext.AllowDuplicateNames(true)); err != nil {
		return 0, fmt.Errorf("qmp: message: %w", JSONError(err))
	}
	id, err := strconv.ParseFloat(string(members.ID), 64)
	if err == nil && id == math.Trunc(id) && 0 < id && id < 1<<53 {
		number = int64(id)
	}
	return number, nil
}
