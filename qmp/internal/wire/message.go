// Package wire has what a connection sends and receives as bytes: it splits the incoming stream
// into messages, finds their members, and encodes requests. It does not know calls.
package wire

import "fmt"

// A Message is one message from a server: a JSON object.
// Its slices are valid until the next message is read.
type Message struct {
	Text    []byte // all of it
	Members [numMembers][]byte
	// Garbage is set, and the fields above are not, when bytes came that are not a
	// message. There may have been a message in them.
	Garbage error
	// Unsure is set, and the fields above are not, when a newline comes in the middle of a
	// message, for the first time on this stream: the rest of the message may be lost. The
	// Framer goes on reading it.
	Unsure bool
	// ByEnds is set if only the beginning and the end of the line were read to find the
	// members return and id, and not the bytes between (see Framer.line). If the return
	// member then turns out not to be one JSON value, there may be other members, perhaps
	// an id.
	ByEnds bool
}

// IsReply reports whether the message is the reply to a command.
func (m *Message) IsReply() bool { return m.Members[Return] != nil || m.Members[Error] != nil }

// Describe returns what kind of reply m is. It does not show the content, which may be secret.
func (m *Message) Describe() string {
	what := "a reply"
	if m.Members[Error] != nil {
		what = "an error reply"
	}
	if m.Members[ID] != nil {
		return fmt.Sprintf("%s of %d bytes with the id %.40q", what, len(m.Text), m.Members[ID])
	}
	return fmt.Sprintf("%s of %d bytes without an id", what, len(m.Text))
}

// Scan finds the members by scanning the text, and reports whether it is one object.
func (m *Message) Scan() bool {
	var s scanner
	if s.scan(m.Text) != complete || s.pos != len(m.Text) {
		return false
	}
	m.ByEnds = false
	m.set(&s)
	return true
}

// set sets the members that a scanner has found.
func (m *Message) set(s *scanner) {
	for i, part := range s.members {
		m.Members[i] = nil
		if part.to > 0 {
			m.Members[i] = m.Text[part.from:part.to]
		}
	}
}
