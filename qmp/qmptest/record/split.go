package record

import "github.com/goqapi/goqapi/internal/wirejson"

// maxMessage is how long a message may be, in bytes.
const maxMessage = 64 << 20

// A splitter finds JSON objects in a stream that comes in pieces.
type splitter struct {
	message func(text []byte) // called for each object; the text is valid until it returns
	noise   func(bytes int)   // called with the number of other bytes

	text    []byte
	skipped int // bytes that are not part of an object
	place   wirejson.Nesting
}

// resync makes both sides of an agent's stream forget half a message. It does not occur in JSON.
const resync = 0xff

// feed takes the next piece of the stream.
func (s *splitter) feed(piece []byte) {
	for _, b := range piece {
		s.next(b)
	}
}

func (s *splitter) next(b byte) {
	switch {
	case b == resync:
		s.flush()
		return
	case s.place.Depth == 0 && b != '{':
		if b > ' ' {
			s.skipped++
		} else if b == '\n' {
			s.flush()
		}
		return
	case s.place.Depth == 0:
		s.flush()
	}
	s.text = append(s.text, b)
	s.place.Next(b)
	switch {
	case len(s.text) > maxMessage:
		s.flush()
	case s.place.Depth == 0:
		s.message(s.text)
		s.reset()
	}
}

// flush reports what has come so far as noise.
func (s *splitter) flush() {
	if n := s.skipped + len(s.text); n > 0 {
		s.noise(n)
	}
	s.reset()
}

// largeText is the size from which on memory is given back after a message.
const largeText = 1 << 20

func (s *splitter) reset() {
	if cap(s.text) > largeText {
		s.text = nil
	}
	s.text, s.skipped, s.place = s.text[:0], 0, wirejson.Nesting{}
}
