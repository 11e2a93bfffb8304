// Package redact hides secrets in text that people read: printed values, logs,
// recordings. Its table defines what a secret is.
package redact

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// Word stands where a secret was.
const Word = "[redacted]"

const blot = `"` + Word + `"`

// word64 is Word where the secret was base64 and must stay decodable.
var word64 = base64.StdEncoding.EncodeToString([]byte(Word))

// IsWord reports whether a string stands for a secret.
func IsWord(s string) bool { return s == Word || s == word64 }

// JSON returns the text of a JSON value, compact, without its secrets: each string,
// number or boolean in a secret becomes [Word]. Text that is not JSON becomes Word as a
// whole, since its content is not known.
func JSON(text []byte) []byte { return hide(text, finder{}, writer{}) }

// JSONAlone is like JSON, for an object that was taken out of another one. A tag in that one
// may decide whether a member is a secret, so JSONAlone hides all members that may be one.
func JSONAlone(text []byte) []byte { return hide(text, finder{alone: true}, writer{}) }

// most is how many bytes of a text are shown.
const most = 64 << 10

// Cut returns a text, or the beginning of one that is very long, with a note.
func Cut(text []byte) string {
	if len(text) <= most {
		return string(text)
	}
	return strings.ToValidUTF8(string(text[:most]), "") + "… (" + strconv.Itoa(len(text)) + " bytes)"
}

// hide finds secrets and writes the text without them.
func hide(text []byte, f finder, w writer) []byte {
	if f.find(text) != nil {
		return []byte(blot)
	}
	return w.write(f.text, f.sorted())
}

// A span is the place of a secret in a text.
type span struct {
	from, to int
	kind     kind
}

// A finder finds the secrets in JSON that is valid and compact.
type finder struct {
	text  []byte
	spans []span

	alone  bool // a missing member may be the one that makes another a secret
	all    bool // the whole value is a secret
	result bool // the member return of the whole value is a secret
}

// find makes a text compact and finds the secrets in it.
func (f *finder) find(text []byte) error {
	f.text = bytes.Clone(text)
	if err := (*jsontext.Value)(&f.text).Compact(); err != nil {
		return err
	}
	if f.all {
		f.spans = []span{{to: len(f.text)}}
	} else {
		f.value(0)
	}
	return nil
}

// sorted returns the spans in the order of the text; a span in another one comes after it.
func (f *finder) sorted() []span {
	slices.SortFunc(f.spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	return f.spans
}

// value finds the secrets in the value that begins at an index, and returns its end.
func (f *finder) value(at int) int {
	switch f.text[at] {
	case '{':
		return f.object(at)
	case '[':
		for at++; f.text[at] != ']'; {
			if at = f.value(at); f.text[at] == ',' {
				at++
			}
		}
		return at + 1
	}
	return wirejson.EndOfScalar(f.text, at)
}

// A member is a secret if its row of the table names no other member, or if the other
// member that it names is present.
type member struct {
	row int
	span
}

func (f *finder) object(at int) int {
	var found []member
	var met []int // the rows whose other member is there
	top := at == 0
	for at++; f.text[at] != '}'; {
		end := wirejson.EndOfScalar(f.text, at)
		name := unquote(f.text[at:end])
		at = f.value(end + 1)
		place := span{from: end + 1, to: at}
		if top && f.result && name == "return" {
			f.spans = append(f.spans, place)
		}
		if i := strings.LastIndexByte(name, '.'); i >= 0 {
			name = name[i+1:] // such as file.cookie
		}
		for row := range secrets {
			if secrets[row].member == name && f.mayBe(&secrets[row], place) {
				place.kind = secrets[row].kind
				found = append(found, member{row, place})
			}
			if secrets[row].needs(name, f.text[place.from:at]) && !slices.Contains(met, row) {
				met = append(met, row)
			}
		}
		if f.text[at] == ',' {
			at++
		}
	}
	for _, m := range found {
		if f.alone || secrets[m.row].with == "" || slices.Contains(met, m.row) {
			f.spans = append(f.spans, m.span)
		}
	}
	return at + 1
}

// mayBe reports whether a value can be the secret of a row.
func (f *finder) mayBe(s *secret, place span) bool {
	if s.kind == part || s.kind == str && f.text[place.from] != '"' {
		return false
	}
	return s.except == nil || !slices.Contains(s.except, firstWord(unquote(f.text[place.from:place.to])))
}

// A writer writes JSON that is valid and compact without its secrets.
type writer struct {
	out    []byte
	base64 bool     // keep base64 decodable
	quoted []string // secrets of the request, which strings may quote
}

func (w *writer) write(text []byte, spans []span) []byte {
	w.out = make([]byte, 0, len(text)+len(text)/16)
	for at := 0; at < len(text); {
		for len(spans) > 0 && spans[0].to <= at {
			spans = spans[1:]
		}
		switch text[at] {
		case '{', '}', '[', ']', ':', ',':
			w.out = append(w.out, text[at])
			at++
			continue
		}
		end := wirejson.EndOfScalar(text, at)
		switch scalar := text[at:end]; {
		case end < len(text) && text[end] == ':', text[at] == 'n': // a name, null
			w.out = append(w.out, scalar...)
		case len(spans) > 0 && spans[0].from <= at:
			w.secret(spans[0].kind)
		case text[at] == '"':
			w.string(scalar)
		default:
			w.out = append(w.out, scalar...)
		}
		at = end
	}
	return w.out
}

func (w *writer) secret(k kind) {
	if k == base64Text && w.base64 {
		w.out = append(append(append(w.out, '"'), word64...), '"')
		return
	}
	w.out = append(w.out, blot...)
}

// string writes a string without the secrets in it, unchanged if there are none.
func (w *writer) string(quoted []byte) {
	if len(w.quoted) == 0 && !bytes.ContainsAny(quoted, suspicious+`\`) {
		w.out = append(w.out, quoted...)
		return
	}
	text := unquote(quoted)
	if clean := hideQuoted(Text(text), w.quoted); clean != text {
		w.out, _ = jsontext.AppendQuote(w.out, clean) // writes U+FFFD for invalid UTF-8
		return
	}
	w.out = append(w.out, quoted...)
}

// hideQuoted returns a text without the secrets that it quotes.
func hideQuoted(text string, secrets []string) string {
	for _, s := range secrets {
		switch {
		case s == "" || !strings.Contains(text, s):
		case len(s) < 4: // so short that the rest would show which letters are missing
			return Word
		default:
			text = strings.ReplaceAll(text, s, Word)
		}
	}
	return text
}

// unquote returns the content of a quoted string; "" for another value.
func unquote(quoted []byte) string { return string(wirejson.Unquote(quoted)) }

// firstWord returns the first word of a text.
func firstWord(text string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(text), " ")
	return word
}
