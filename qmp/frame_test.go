package qmp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/wirejson"
)

// frames is what a framer makes of a stream, in words.
func frames(r io.Reader, max int) []string {
	f := newFramer(r, max)
	var all []string
	for {
		m, err := f.next()
		if err != nil {
			return append(all, err.Error())
		}
		if m.unsure {
			continue
		}
		if m.spoilt != nil {
			all = append(all, "spoilt: "+m.spoilt.Error())
			continue
		}
		var s strings.Builder
		for i, name := range []string{"return", "error", "id", "event", "timestamp", "data", "QMP"} {
			if part := m.members[i]; part != nil {
				fmt.Fprintf(&s, "%s=%s ", name, part)
			}
		}
		all = append(all, s.String()+"of "+string(m.text))
	}
}

var frameTests = []struct {
	name   string
	stream string
	want   []string
}{
	{
		"replies as QEMU prints them",
		"{\"return\": {}}\r\n{\"return\": {\"a\": 1, \"id\": 2}, \"id\": 31}\r\n{\"id\": 4, \"error\": {\"class\": \"C\", \"desc\": \"\"}}\r\n",
		[]string{
			`return={} of {"return": {}}`,
			`return={"a": 1, "id": 2} id=31 of {"return": {"a": 1, "id": 2}, "id": 31}`,
			`error={"class": "C", "desc": ""} id=4 of {"id": 4, "error": {"class": "C", "desc": ""}}`,
			"EOF",
		},
	},
	{
		"a value that ends like an id",
		"{\"return\": {\"id\": 5}}\n{\"return\": 5}\n{\"return\": \"x, \\\"id\\\": 5\"}\n{\"return\": [1, 5]}\n",
		[]string{
			`return={"id": 5} of {"return": {"id": 5}}`,
			`return=5 of {"return": 5}`,
			`return="x, \"id\": 5" of {"return": "x, \"id\": 5"}`,
			`return=[1, 5] of {"return": [1, 5]}`,
			"EOF",
		},
	},
	{
		"an event between",
		"{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n{\"return\": {}}\r\n",
		[]string{
			`event="STOP" timestamp={"seconds": 1, "microseconds": 2} of {"timestamp": {"seconds": 1, "microseconds": 2}, "event": "STOP"}`,
			`return={} of {"return": {}}`,
			"EOF",
		},
	},
	{
		"pretty",
		"{\r\n    \"return\": [\r\n        {\r\n            \"a\": \"}\"\r\n        }\r\n    ],\r\n    \"id\": 1\r\n}\r\n",
		[]string{
			"return=[\r\n        {\r\n            \"a\": \"}\"\r\n        }\r\n    ] id=1 of {\r\n    \"return\": [\r\n        {\r\n            \"a\": \"}\"\r\n        }\r\n    ],\r\n    \"id\": 1\r\n}",
			"EOF",
		},
	},
	{
		"other white space, no line ends",
		`{"return":{},"id":1}{"return": {}, "id": 2} {"return": {}}`,
		[]string{
			`return={} id=1 of {"return":{},"id":1}`,
			`return={} id=2 of {"return": {}, "id": 2}`,
			`return={} of {"return": {}}`,
			"EOF",
		},
	},
	{
		"numbers that JSON has not",
		"{\"id\": inf, \"return\": {}}\n{\"id\": -inf, \"return\": [nan, 1e400]}\n",
		[]string{
			`return={} id=inf of {"id": inf, "return": {}}`,
			`return=[nan, 1e400] id=-inf of {"id": -inf, "return": [nan, 1e400]}`,
			"EOF",
		},
	},
	{
		"a guest agent's fresh start",
		"{\"error\": {\"class\": \"GenericError\", \"desc\": \"JSON parse error, stray '\\uFFFD'\"}}\n\xff{\"return\": 7890}\n",
		[]string{
			`error={"class": "GenericError", "desc": "JSON parse error, stray '\uFFFD'"} of {"error": {"class": "GenericError", "desc": "JSON parse error, stray '\uFFFD'"}}`,
			`return=7890 of {"return": 7890}`,
			"EOF",
		},
	},
	{
		"a fresh start in mid-message",
		"{\"return\": [1, 2\xff{\"return\": 7890}\n",
		[]string{
			`spoilt: 16 bytes from the server are not a message: it is broken at byte 16: "{\"return\": [1, 2"`,
			`return=7890 of {"return": 7890}`,
			"EOF",
		},
	},
	{
		"garbage between messages",
		"{\"event\": \"A\"}\nQEMU 7.2 monitor {\"return\": 1}\n\n  oops\n{\"event\": \"B\"}\n",
		[]string{
			`event="A" of {"event": "A"}`,
			`spoilt: 30 bytes from the server are not a message: it is not a JSON object: "QEMU 7.2 monitor {\"return\": 1}"`,
			`spoilt: 4 bytes from the server are not a message: it is not a JSON object: "oops"`,
			`event="B" of {"event": "B"}`,
			"EOF",
		},
	},
	{
		"a message cut short swallows no other",
		"{\"event\": \"A\", \"data\": {\"x\": \r\n{\"event\": \"B\"}\r\n{\"event\": \"C\"}\r\n",
		[]string{
			`spoilt: 31 bytes from the server are not a message: it is broken at byte 47: "{\"event\": \"A\", \"data\": {\"x\": \r\n"`,
			`event="B" of {"event": "B"}`,
			`event="C" of {"event": "C"}`,
			"EOF",
		},
	},
	{
		"a message cut short in a string",
		"{\"event\": \"A\", \"data\": {\"x\": \"y\r\n{\"event\": \"B\"}\r\n",
		[]string{
			`spoilt: 32 bytes from the server are not a message: it is broken at byte 32: "{\"event\": \"A\", \"data\": {\"x\": \"y\r"`,
			`event="B" of {"event": "B"}`,
			"EOF",
		},
	},
	{
		"brackets that do not fit",
		"{\"event\": [\"A\"}]\n{\"event\": \"B\"}\n",
		[]string{
			`spoilt: 16 bytes from the server are not a message: it is broken at byte 14: "{\"event\": [\"A\"}]"`,
			`event="B" of {"event": "B"}`,
			"EOF",
		},
	},
	{
		"garbage at the end",
		"{\"event\": \"A\"}\noops\n",
		[]string{
			`event="A" of {"event": "A"}`,
			`spoilt: 4 bytes from the server are not a message: it is not a JSON object: "oops"`,
			"EOF",
		},
	},
	{
		"the end in mid-message",
		"{\"event\": \"A\"}\n{\"return\": {",
		[]string{`event="A" of {"event": "A"}`, "unexpected EOF"},
	},
	{
		"the end after a reply's brace",
		"{\"return\": {}} ",
		[]string{`return={} of {"return": {}}`, "EOF"},
	},
	{
		"a reply that is a prefix and nothing else",
		"{\"return\": }\n{\"return\": \n}\n{\"event\": \"B\"}\n",
		[]string{
			`spoilt: 12 bytes from the server are not a message: it is broken at byte 11: "{\"return\": }"`,
			`spoilt: 13 bytes from the server are not a message: it is broken at byte 12: "{\"return\": \n}"`,
			`event="B" of {"event": "B"}`,
			"EOF",
		},
	},
}

// TestFrames feeds each stream whole, by the byte, and in two pieces cut anywhere.
func TestFrames(t *testing.T) {
	for _, test := range frameTests {
		t.Run(test.name, func(t *testing.T) {
			check := func(how string, r io.Reader) {
				t.Helper()
				if diff := cmp.Diff(test.want, frames(r, 1<<20)); diff != "" {
					t.Errorf("%s: -want +got\n%s", how, diff)
				}
			}
			check("whole", strings.NewReader(test.stream))
			check("by the byte", iotest.OneByteReader(strings.NewReader(test.stream)))
			check("with the end", iotest.DataErrReader(strings.NewReader(test.stream)))
			for i := range test.stream {
				check(fmt.Sprintf("cut at %d", i),
					io.MultiReader(strings.NewReader(test.stream[:i]), strings.NewReader(test.stream[i:])))
			}
		})
	}
}

// Two messages on a line are read correctly once that has happened before.
func TestTwoMessagesOnALine(t *testing.T) {
	got := frames(strings.NewReader("{\"event\": \"A\"}{\"event\": \"B\"}\n{\"return\": {}}{\"return\": {}, \"id\": 2}\n"), 1<<20)
	want := []string{`event="A" of {"event": "A"}`, `event="B" of {"event": "B"}`,
		`return={} of {"return": {}}`, `return={} id=2 of {"return": {}, "id": 2}`, "EOF"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestFrameLimits(t *testing.T) {
	big := `{"return": "` + strings.Repeat("x", 100_000) + `"}` + "\n"
	for _, r := range []io.Reader{strings.NewReader(big), iotest.HalfReader(strings.NewReader(big))} {
		if got := frames(r, 1<<20); len(got) != 2 || got[1] != "EOF" {
			t.Errorf("a message of %d bytes gives %.100q", len(big), got)
		}
	}
	got := frames(strings.NewReader(big), 50_000)
	if diff := cmp.Diff([]string{"a message is larger than the limit of 50000 bytes"}, got); diff != "" {
		t.Errorf("too large: -want +got\n%s", diff)
	}

	deep := `{"return":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + "}\n"
	if got := frames(strings.NewReader(deep), 1<<20); len(got) != 2 || got[1] != "EOF" {
		t.Errorf("%d levels give %.100q", maxDepth, got)
	}
	deep = `{"return":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + "}\n"
	got = frames(strings.NewReader(deep+"{\"event\": 1}\n"), 1<<20)
	if len(got) != 3 || !strings.Contains(got[0], "it nests deeper than 10000 levels") || !strings.HasPrefix(got[1], "event=1") {
		t.Errorf("%d levels give %.300q", maxDepth+1, got)
	}
}

// After a large message its buffer is given back.
func TestFrameMemory(t *testing.T) {
	big := `{"return": "` + strings.Repeat("x", 1<<20) + `"}` + "\r\n"
	small := "{\"event\": \"A\"}\r\n"
	f := newFramer(strings.NewReader(big+small+big), 8<<20)
	m, err := f.next()
	if err != nil {
		t.Fatal(err)
	}
	taken, _ := f.take(m.members[memberReturn])
	before := bytes.Clone(taken)
	if _, err := f.next(); err != nil {
		t.Fatal(err)
	}
	if len(f.buf) > readSize && f.end-f.start <= readSize {
		t.Errorf("the buffer still has %d bytes", len(f.buf))
	}
	if _, err := f.next(); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(taken, before) {
		t.Error("a reply changed after it was handed over")
	}
	if _, err := f.next(); err != io.EOF || len(f.buf) > readSize {
		t.Errorf("at the end: %v, a buffer of %d bytes", err, len(f.buf))
	}
}

// A stream that never yields anything is an error, not a loop.
func TestFrameNoProgress(t *testing.T) {
	f := newFramer(emptyReader{}, 100)
	if _, err := f.next(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("got %v", err)
	}
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

// FuzzStream reads any bytes in pieces of any size. Whatever they are, messages
// after them are read, and a stream in pieces gives the same as the whole stream.
func FuzzStream(f *testing.F) {
	for _, test := range frameTests {
		f.Add([]byte(test.stream), uint8(3))
	}
	f.Add([]byte(`{"a":[`), uint8(1))
	f.Add([]byte(`{"a":"\`), uint8(1))
	const mark = "\n{\"return\": {}, \"id\": 424242}"
	want := `return={} id=424242 of {"return": {}, "id": 424242}`
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		text := string(stream) + mark + mark + "\n"
		whole := frames(strings.NewReader(text), 1<<20)
		if len(whole) < 2 || whole[len(whole)-1] != "EOF" || whole[len(whole)-2] != want {
			t.Fatalf("the last message is lost:\n%s", strings.Join(whole, "\n"))
		}
		pieces := frames(&pieceReader{text, int(size)%7 + 1}, 1<<20)
		if pieces[len(pieces)-2] != want {
			t.Fatalf("the last message is lost in pieces:\n%s", strings.Join(pieces, "\n"))
		}
	})
}

// pieceReader gives a text n bytes at a time.
type pieceReader struct {
	text string
	n    int
}

func (r *pieceReader) Read(b []byte) (int, error) {
	if r.text == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(r.n, len(b))], r.text)
	r.text = r.text[n:]
	return n, nil
}

// What follows a large reply lies in the buffer that goes with it, whose new owner
// may free it, and another connection may read into it, at once.
func TestTakenBufferIsNotReadAnyMore(t *testing.T) {
	const event = `{"event": "A"}`
	f := newFramer(strings.NewReader(`{"return": "`+strings.Repeat("a", 2<<20)+`"}`+"\r\n"+event+"\r\n"), 8<<20)
	m, err := f.next()
	require.NoError(t, err)
	_, buffer := f.take(m.members[memberReturn])
	require.NotNil(t, buffer)
	clear(buffer)
	m, err = f.next()
	require.NoError(t, err)
	assert.Equal(t, event, string(m.text))
}

// What never becomes a message is not read again and again: each of these lines could
// be the beginning of one, and they nest too deep.
func TestFrameRescansLittle(t *testing.T) {
	text := strings.Repeat("{\"a\":\n", 1<<20/6)
	f := newFramer(strings.NewReader(text), 64<<20)
	stretches := 0
	for {
		m, err := f.next()
		if err != nil {
			break
		}
		if m.text != nil {
			t.Fatal("a message")
		}
		stretches++
	}
	if most := 10 + len(text)/(4*maxDepth); stretches > most {
		t.Errorf("%d stretches of %d bytes, at most %d are expected", stretches, len(text), most)
	}
}

// FuzzEnds holds the two ways to read a reply to each other. What is recognised by the two
// ends of its line, and is one value, the scanner finds as well, with the same id; what is
// not one value no caller is given without the scanner.
func FuzzEnds(f *testing.F) {
	for _, line := range []string{
		`{"return": {}}`, `{"return": {}, "id": 1}`, `{"return": "c0", "id": 1, "x": 1}`,
		`{"return": {}, "x": {}, "id": 1}`, `{"return": {}, "id": 1, "x": {"id": 2}}`, `{"return": [1], "x": [2]}`,
		`{"return": "a", "x": "b"}`, `{"return": "a\", \"id\": 7"}`, `{"return": {} , "id": 7}`, `{"return":  5, "id": 7}`,
		`{"return": {}}{"return": {}, "id": 2}`, `{"return": -1.5e3}`, `{"return": inf, "id": 3}`, `{"return": , "id": 3}`,
		`{"return": {"id": 1}, "id": 0}`, `{"return": {"a": {}, "id": 12}}`, `{"return": "}", "id": 5}`, `{"return": {}, "id": 18446744073709551616}`,
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "\n") {
			return
		}
		m, err := newFramer(strings.NewReader(line+"\n"), 1<<20).next()
		if err != nil || !m.byEnds {
			return
		}
		value, id := string(m.members[memberReturn]), string(m.members[memberID])
		scanned := *m
		whole := scanned.scan()
		if one := jsontext.Value(value); one.IsValid(wirejson.Lenient()) {
			got, gotID := string(scanned.members[memberReturn]), string(scanned.members[memberID])
			if !whole || strings.TrimSpace(got) != strings.TrimSpace(value) || id != "" && gotID != id {
				t.Errorf("by the ends %q with id %q, by scanning %q with id %q, %v", value, id, got, gotID, whole)
			}
			if id == "" && gotID != "" {
				t.Errorf("the id %q is not seen although the value is one: %q", gotID, line)
			}
			return
		}
		// Not one value: the caller must get what the scanner finds, or an error.
		ours, _ := net.Pipe()
		l := newLink(ours, newCore(newOptions(nil)))
		c := &call{command: "x", number: ownNumber([]byte(id)), line: m.text, answer: m.members[memberReturn]}
		var got jsontext.Value
		err = l.store(t.Context(), c, &got)
		want := jsontext.Value(scanned.members[memberReturn])
		switch {
		case err != nil:
		case !whole || string(got) != string(want):
			t.Errorf("%q gives %q, want %q", line, got, want)
		case scanned.has(memberID) && ownNumber(scanned.members[memberID]) != c.number:
			t.Errorf("%q is given to a call with number %d", line, c.number)
		}
	})
}
