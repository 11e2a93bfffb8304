package record

import (
	"bytes"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/redact"
	"github.com/goqapi/goqapi/internal/wirejson"
)

// checked returns a message in which secrets can be found, or false.
func checked(text []byte) ([]byte, bool) {
	text = bytes.ToValidUTF8(text, []byte("\ufffd"))
	return text, jsontext.Value(text).IsValid(wirejson.Lenient())
}

// withoutSecrets returns a command, compact and without its secrets; false if it cannot be
// searched for them.
func withoutSecrets(text []byte) ([]byte, bool) {
	text, ok := checked(text)
	return redact.JSON(text), ok
}

// secrets hides the secrets in the messages of two sides. What a reply may show depends on the
// command that it answers.
type secrets struct {
	calls map[string]*calls // those without a reply, by their ids
	last  redact.Request    // the command that was answered last
}

// calls are the commands with one id, in their order, in which they are also answered.
type calls struct {
	asked, answered int
	secret          []call // those that have secrets and no reply yet
}

type call struct {
	number  int
	request redact.Request
}

// without returns a message, compact and without its secrets; false if it cannot be searched
// for them.
func (s *secrets) without(from string, text []byte) ([]byte, bool) {
	text, ok := checked(text)
	if !ok {
		return nil, false
	}
	var m struct {
		ID     jsontext.Value `json:"id"`
		Return jsontext.Value `json:"return"`
		Error  jsontext.Value `json:"error"`
	}
	_ = json.Unmarshal(text, &m, wirejson.Lenient()) // it is an object
	_ = m.ID.Canonicalize()
	id := string(m.ID)
	switch {
	case from == client:
		s.asked(id, redact.ReadRequest(text))
		return redact.JSON(text), true
	case m.Return == nil && m.Error == nil:
		return redact.JSON(text), true
	}
	return s.answered(id).Message(text), true
}

func (s *secrets) asked(id string, request redact.Request) {
	if s.calls == nil {
		s.calls = map[string]*calls{}
	}
	c := s.calls[id]
	if c == nil {
		c = &calls{}
		s.calls[id] = c
	}
	if request.HasSecrets() {
		c.secret = append(c.secret, call{c.asked, request})
	}
	c.asked++
}

// answered returns the command that a reply with an id answers: the first without a reply. Since
// some commands never get one, the reply may be that of a later command, so the result has the
// secrets of all of them.
func (s *secrets) answered(id string) redact.Request {
	c := s.calls[id]
	if c == nil { // the server could not read a command, or answered twice
		all := s.last
		for _, c := range s.calls {
			all = all.Or(c.all())
		}
		return all
	}
	all := c.all()
	s.last = all
	for c.answered++; len(c.secret) > 0 && c.secret[0].number < c.answered; {
		c.secret = c.secret[1:]
	}
	if c.answered == c.asked {
		delete(s.calls, id)
	}
	return all
}

// all returns a command with the secrets of all.
func (c *calls) all() redact.Request {
	var all redact.Request
	for _, call := range c.secret {
		all = all.Or(call.request)
	}
	return all
}
