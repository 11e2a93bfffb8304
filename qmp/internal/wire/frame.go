package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// ReadSize is the size of the small buffer, which a Framer uses for most messages.
	ReadSize = 4 << 10
	// MaxRescan limits the search for messages inside a broken message, in bytes: a larger
	// broken message is not searched, and between two messages at most this many bytes are
	// searched again.
	MaxRescan = 256 << 10
	// sampleSize is how much is shown of what could not be read.
	sampleSize = 80
	// Resync is the byte with which a guest agent marks a new beginning. It
	// does not occur in valid text.
	Resync = 0xFF
)

// ErrTooLarge is wrapped by the error for a message that is larger than the limit.
var ErrTooLarge = errors.New("a message is larger than the limit")

// A Framer splits the incoming stream into messages: JSON values, not lines.
type Framer struct {
	r   io.Reader
	max int // the largest message

	small      []byte // the buffer for most messages, of ReadSize bytes
	buf        []byte // small, or a larger one
	start, end int    // the bytes of buf that have not been consumed
	err        error  // why reading from r ended

	scan     scanner
	within   bool // a message begins at start
	searched int  // how many bytes of the message have been searched for a newline, and have none
	ended    bool // a message has ended at start, but the end of its line has not come
	// compact is true while each message has been one line, as QEMU's are. Then a reply is
	// recognised by the beginning and the end of its line.
	compact bool

	rescanned int    // bytes that were searched again since the last message
	skipping  bool   // invalid bytes are being skipped, up to the end of the line
	skipped   int    // bytes
	sample    []byte // the first of them
	cause     string

	msg Message
}

// NewFramer returns a framer for a stream, which ends with [ErrTooLarge] at a message of more
// than max bytes.
func NewFramer(r io.Reader, max int) *Framer {
	small := make([]byte, ReadSize)
	return &Framer{r: r, max: max, small: small, buf: small, compact: true}
}

// Next returns the next message, or an error in its field Garbage for bytes that are not one.
func (f *Framer) Next() (*Message, error) {
	f.msg = Message{}
	f.shrink()
	for {
		found := f.find()
		if f.skipped > 0 && !f.skipping {
			return f.garbage(), nil
		}
		if found {
			m, more := f.cut()
			if m != nil {
				return m, nil
			}
			if !more {
				continue
			}
		}
		if err := f.fill(); err != nil {
			return nil, err
		}
	}
}

// Take returns part of the last message as memory that the caller owns. For a large part
// that is the read buffer itself, which saves a copy: what follows the message is moved
// out of it first. The caller may free it.
func (f *Framer) Take(part []byte) (taken, buffer []byte) {
	if len(f.buf) <= ReadSize || len(part) < len(f.buf)/4 {
		return bytes.Clone(part), nil
	}
	buffer = f.buf
	f.replace()
	return part[:len(part):len(part)], buffer
}

// shrink replaces and frees a buffer that grew for one message.
func (f *Framer) shrink() {
	if len(f.buf) <= ReadSize || f.end-f.start > ReadSize {
		return
	}
	old := f.buf
	f.replace()
	FreeBuffer(old)
}

// replace moves what has not been consumed to another buffer.
func (f *Framer) replace() {
	rest := f.buf[f.start:f.end]
	if f.buf = f.small; len(rest) > ReadSize {
		f.buf = newBuffer(len(rest))
	}
	f.start, f.end = 0, copy(f.buf, rest)
}

// fill makes room and reads more of the stream.
func (f *Framer) fill() error {
	if f.err != nil {
		if f.within && f.compact {
			f.compact = false // the rest of the line will not come
			return nil
		}
		if f.err == io.EOF && (f.within || f.skipped > 0) {
			return io.ErrUnexpectedEOF
		}
		return f.err
	}
	size := f.end - f.start
	if f.within && size >= f.max {
		return fmt.Errorf("%w of %d bytes", ErrTooLarge, f.max)
	}
	switch {
	case size == 0:
		f.start, f.end = 0, 0
	case f.end < len(f.buf): // there is room
	case size <= len(f.buf)/2:
		f.start, f.end = 0, copy(f.buf, f.buf[f.start:f.end])
	default:
		grown := newBuffer(2 * len(f.buf))
		f.end = copy(grown, f.buf[f.start:f.end])
		if len(f.buf) > ReadSize {
			FreeBuffer(f.buf)
		}
		f.start, f.buf = 0, grown
	}
	for range 100 {
		var n int
		n, f.err = f.r.Read(f.buf[f.end:min(len(f.buf), f.start+f.max)])
		f.end += n
		if n > 0 {
			return nil
		}
		if f.err != nil {
			return f.fill()
		}
	}
	return io.ErrNoProgress
}

// find moves start to the beginning of the next message and reports whether there is one.
// It also stops, and returns false, at the end of a line with invalid bytes, which Next
// reports first.
func (f *Framer) find() bool {
	for !f.within && f.start < f.end {
		c := f.buf[f.start]
		switch {
		case c == '\n' || c == Resync:
			f.ended = false
			if f.skipping {
				f.skipping = false
				f.start++
				return false
			}
		case f.skipping:
			f.skip(1)
			continue
		case c == '{':
			f.compact = f.compact && !f.ended
			f.within, f.searched = true, 0
			f.scan.reset()
			continue
		case !isSpace(c):
			f.skipping, f.cause = true, "it is not a JSON object"
			continue
		}
		f.start++
	}
	return f.within
}

// skip skips n bytes that are not part of a message.
func (f *Framer) skip(n int) {
	room := min(n, sampleSize-len(f.sample))
	f.sample = append(f.sample, f.buf[f.start:f.start+room]...)
	f.skipped += n
	f.start += n
}

// garbage reports what was skipped.
func (f *Framer) garbage() *Message {
	dots := ""
	if f.skipped > len(f.sample) {
		dots = " …"
	}
	err := fmt.Errorf("%d bytes from the server are not a message: %s: %q%s", f.skipped, f.cause, f.sample, dots)
	f.skipped, f.sample = 0, nil
	f.msg = Message{Garbage: err}
	return &f.msg
}

// cut returns the message at start. If it returns nil, more reports whether the message
// needs more bytes; otherwise what was at start is not a message.
func (f *Framer) cut() (m *Message, more bool) {
	text := f.buf[f.start:f.end]
	if f.compact {
		if m, more := f.line(text); m != nil || more {
			return m, more
		}
	}
	from := f.scan.pos
	switch f.scan.scan(text) {
	case needMore:
		if f.compact && bytes.IndexByte(text[from:], '\n') >= 0 {
			f.compact = false
			f.msg = Message{Unsure: true}
			return &f.msg, false
		}
		return nil, true
	case broken:
		f.drop(text, fmt.Sprintf("it is broken at byte %d", f.scan.pos))
		return nil, false
	case tooDeep:
		f.drop(text, fmt.Sprintf("it nests deeper than %d levels", maxDepth))
		return nil, false
	}
	f.msg = Message{Text: text[:f.scan.pos]}
	f.msg.set(&f.scan)
	f.consume(len(f.msg.Text))
	return &f.msg, false
}

const (
	returnBegins = `{"return": `
	idBegins     = `, "id": `
)

// ReturnAt is where the member return is in the text of a message that was found by its ends.
const ReturnAt = len(returnBegins)

// line recognises a reply as QEMU prints it, `{"return": …, "id": 7}` and a newline, by its
// beginning and its end. It does not read the bytes between: a string cannot contain a
// newline, and if these bytes are not JSON, decoding finds that. If it does not recognise a
// reply, more reports whether the rest of the line may make it one.
func (f *Framer) line(text []byte) (m *Message, more bool) {
	if !bytes.HasPrefix(text, []byte(returnBegins)) {
		return nil, false
	}
	at := bytes.IndexByte(text[f.searched:], '\n')
	if at < 0 {
		f.searched = len(text)
		tail := text[max(0, len(text)-len("}\r\n")):]
		return nil, bytes.IndexByte(tail, '}') < 0
	}
	line := bytes.TrimRight(text[:f.searched+at], " \t\r")
	if len(line) < len(returnBegins)+len("1}") || line[len(line)-1] != '}' || bytes.IndexByte(line, Resync) >= 0 {
		return nil, false
	}
	value := line[len(returnBegins) : len(line)-1]
	id := len(value)
	for id > 0 && value[id-1]-'0' < 10 {
		id--
	}
	f.msg = Message{Text: line, ByEnds: true}
	if id < len(value) && bytes.HasSuffix(value[:id], []byte(idBegins)) {
		f.msg.Members[ID] = value[id:]
		value = value[:id-len(idBegins)]
	}
	if !endsFit(value) {
		return nil, false
	}
	f.msg.Members[Return] = value
	f.consume(len(line))
	return &f.msg, false
}

// endsFit reports whether text may be one JSON value, judging by its first and last
// byte; it reads the whole text if that is not an object, a list or a string.
func endsFit(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	last := text[len(text)-1]
	switch text[0] {
	case '{':
		return last == '}'
	case '[':
		return last == ']'
	case '"':
		return last == '"' && len(text) > 1
	}
	for _, c := range text {
		if !isScalar(c) {
			return false
		}
	}
	return true
}

func (f *Framer) consume(n int) {
	f.start += n
	f.within, f.ended, f.rescanned = false, true, 0
}

// drop skips the message at start, which is broken at the scanner's position. If it
// contains a line, or a Resync byte, after which a message seems to begin, reading goes
// on there; otherwise after the line with the broken byte.
func (f *Framer) drop(text []byte, cause string) {
	f.within, f.cause = false, cause
	bad := f.scan.pos
	search := f.rescanned+bad <= MaxRescan
	for i := 1; i <= bad; i++ {
		if text[i] == Resync || search && text[i] == '{' && text[i-1] == '\n' {
			f.rescanned += bad - i
			f.skip(i)
			return
		}
	}
	f.skip(bad)
	f.skipping = true // find ends it, at once if the bad byte is the newline
}
