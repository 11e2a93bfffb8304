package shell

import (
	"errors"
	"strings"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// A word is a part of a line, without its quotes.
type word struct {
	text string
	from int // where it begins in the line
}

// errMore is the error of a line that ends in the middle of JSON, which continues in the next line.
var errMore = errors.New("the JSON does not end")

var errQuote = errors.New("a quote does not end")

// split splits a line into words. Quotes and backslashes work as in sh; JSON, which begins with a
// bracket or after ":=", is taken as it is, with its blanks.
func split(line string) ([]word, error) {
	var words []word
	for at := 0; ; {
		at += len(line[at:]) - len(strings.TrimLeft(line[at:], blanks))
		if at == len(line) {
			return words, nil
		}
		s := splitter{line: line, at: at}
		err := s.word()
		words = append(words, word{s.text.String(), at})
		if err != nil {
			return words, err
		}
		at = s.at
	}
}

const blanks = " \t\r\n"

// A splitter reads one word.
type splitter struct {
	line string
	at   int
	text strings.Builder
}

func (s *splitter) word() error {
	if s.line[s.at] == '{' || s.line[s.at] == '[' {
		return s.json()
	}
	for s.at < len(s.line) && !strings.ContainsRune(blanks, rune(s.line[s.at])) {
		c := s.line[s.at]
		s.at++
		switch c {
		case '\\':
			if s.at == len(s.line) {
				return errQuote
			}
			s.text.WriteByte(s.line[s.at])
			s.at++
		case '\'', '"':
			if err := s.quoted(c); err != nil {
				return err
			}
		default:
			s.text.WriteByte(c)
			if c == '=' && strings.HasSuffix(s.text.String(), ":=") && strings.Count(s.text.String(), "=") == 1 {
				return s.json()
			}
		}
	}
	return nil
}

// quoted reads up to a closing quote.
func (s *splitter) quoted(quote byte) error {
	for s.at < len(s.line) {
		c := s.line[s.at]
		s.at++
		switch {
		case c == quote:
			return nil
		case c == '\\' && quote == '"' && s.at < len(s.line) && strings.IndexByte(`"\`, s.line[s.at]) >= 0:
			c = s.line[s.at]
			s.at++
		}
		s.text.WriteByte(c)
	}
	return errQuote
}

// json reads a JSON value, up to a blank outside of brackets and strings.
func (s *splitter) json() error {
	begin := s.at
	var place wirejson.Nesting
	for ; s.at < len(s.line); s.at++ {
		c := s.line[s.at]
		if outside := place.Next(c); outside && place.Depth <= 0 && strings.IndexByte(blanks, c) >= 0 {
			break
		}
	}
	s.text.WriteString(s.line[begin:s.at])
	if place.InString() || place.Depth > 0 {
		return errMore
	}
	return nil
}

// quote writes a word in a form from which split reads the same word. JSON, and text that begins
// like JSON, is not quoted.
func quote(text string) string {
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if strings.IndexByte(blanks+`'"\`, c) >= 0 || i == 0 && strings.IndexByte("{[", c) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}
