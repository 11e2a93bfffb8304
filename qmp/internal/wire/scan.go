package wire

// maxDepth is how deep an incoming message may nest. It is the JSON decoder's
// own limit; QEMU's replies nest a few levels, backing chains some hundred.
const maxDepth = 10000

// A scanner finds the end of one JSON object in bytes that come in pieces, and
// the places of the members of its outermost level. It reads each byte once.
//
// It checks the grammar, so that it notices a message that was cut off, and does not take
// the messages after it as part of it. It does not check scalars, but leaves them to the
// decoder: QEMU prints numbers such as inf, which are not JSON.
type scanner struct {
	pos     int // the next byte to look at, from the start of the message
	state   scanState
	inName  bool   // the string being read is a member's name
	stack   []byte // '{' or '[' for every level that is open
	name    span   // the last name on the outermost level
	value   int    // where the value of that name begins
	members [numMembers]span
}

// span is a part of a message: the bytes [from, to).
type span struct{ from, to int }

// Member numbers the members of a message that mean something in QMP.
type Member int

// The members.
const (
	Return Member = iota
	Error
	ID
	Event
	Timestamp
	Data
	Greeting
	numMembers
)

// memberNamed returns the member with a name on the wire; -1 if there is none.
func memberNamed(name []byte) Member {
	switch string(name) {
	case "return":
		return Return
	case "error":
		return Error
	case "id":
		return ID
	case "event":
		return Event
	case "timestamp":
		return Timestamp
	case "data":
		return Data
	case "QMP":
		return Greeting
	}
	return -1
}

type scanState uint8

const (
	wantObject     scanState = iota // the first byte
	wantName                        // after a comma in an object
	wantNameOrEnd                   // after {
	wantColon                       // after a name
	wantValue                       // after a colon, or a comma in a list
	wantValueOrEnd                  // after [
	wantComma                       // after a value
	inString
	inEscape
	inScalar
)

// outcome is the result of a scan.
type outcome uint8

const (
	needMore outcome = iota // the object is longer than the text
	complete                // the object ends before pos
	broken                  // the byte at pos is not allowed there
	tooDeep                 // the bracket at pos opens one level too many
)

func (s *scanner) reset() {
	stack := s.stack[:0]
	if cap(stack) > 1024 {
		stack = nil
	}
	*s = scanner{stack: stack}
}

// scan continues at pos in text, which is what has been read of the message so far.
func (s *scanner) scan(text []byte) outcome {
	for s.pos < len(text) {
		c := text[s.pos]
		switch s.state {
		case inString:
			s.pos += plainBytes(text[s.pos:])
			if s.pos == len(text) {
				return needMore
			}
			switch text[s.pos] {
			case '\n': // not allowed in a string: the rest of the string is missing
				return broken
			case '\\':
				s.state = inEscape
			case '"':
				s.endString(text)
			}
			s.pos++
		case inEscape:
			s.state = inString
			s.pos++
		case inScalar:
			if isScalar(c) {
				s.pos++
			} else {
				s.endValue(text, s.pos)
			}
		default:
			if isSpace(c) {
				s.pos++
				continue
			}
			if out := s.structure(text, c); out != needMore {
				return out
			}
		}
	}
	return needMore
}

// plainBytes returns how many bytes at the start of text are plain bytes of a string, which
// neither end it nor need a check.
func plainBytes(text []byte) int {
	for i, c := range text {
		if c == '"' || c == '\\' || c == '\n' {
			return i
		}
	}
	return len(text)
}

// structure handles a byte that is not part of a string or a scalar, and not a space.
func (s *scanner) structure(text []byte, c byte) outcome {
	switch s.state {
	case wantObject:
		if c != '{' {
			return broken
		}
		s.open(c)
	case wantName, wantNameOrEnd:
		switch {
		case c == '"':
			s.state, s.inName = inString, true
			if len(s.stack) == 1 {
				s.name.from = s.pos + 1
			}
		case c == '}' && s.state == wantNameOrEnd:
			return s.close(text)
		default:
			return broken
		}
	case wantColon:
		if c != ':' {
			return broken
		}
		s.state = wantValue
	case wantValue, wantValueOrEnd:
		if len(s.stack) == 1 {
			s.value = s.pos
		}
		switch {
		case c == '"':
			s.state, s.inName = inString, false
		case c == '{' || c == '[':
			if len(s.stack) == maxDepth {
				return tooDeep
			}
			s.open(c)
		case c == ']' && s.state == wantValueOrEnd:
			return s.close(text)
		case isScalar(c):
			s.state = inScalar
		default:
			return broken
		}
	case wantComma:
		top := s.stack[len(s.stack)-1]
		switch {
		case c == ',' && top == '{':
			s.state = wantName
		case c == ',':
			s.state = wantValue
		case c == '}' && top == '{', c == ']' && top == '[':
			return s.close(text)
		default:
			return broken
		}
	}
	s.pos++
	return needMore
}

func (s *scanner) open(bracket byte) {
	s.stack = append(s.stack, bracket)
	if bracket == '{' {
		s.state = wantNameOrEnd
	} else {
		s.state = wantValueOrEnd
	}
}

// close handles the closing bracket at pos, which matches its opening one.
func (s *scanner) close(text []byte) outcome {
	s.pos++
	s.stack = s.stack[:len(s.stack)-1]
	if len(s.stack) == 0 {
		return complete
	}
	s.endValue(text, s.pos)
	return needMore
}

// endString handles the closing quote at pos.
func (s *scanner) endString(text []byte) {
	if !s.inName {
		s.endValue(text, s.pos+1)
		return
	}
	s.state = wantColon
	if len(s.stack) == 1 {
		s.name.to = s.pos
	}
}

// endValue ends a value, which ends before the byte at to. It records the value of a member of
// the outermost level.
func (s *scanner) endValue(text []byte, to int) {
	s.state = wantComma
	if len(s.stack) == 1 {
		if m := memberNamed(text[s.name.from:s.name.to]); m >= 0 {
			s.members[m] = span{s.value, to}
		}
	}
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

// isScalar reports whether a number, a literal or a text like -inf can contain the byte.
func isScalar(c byte) bool {
	return c-'0' < 10 || (c|0x20)-'a' < 26 || c == '-' || c == '+' || c == '.'
}
