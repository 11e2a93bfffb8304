package wire

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp/internal/wire/streams"
)

// frames returns what a Framer reads from a stream, as text.
func frames(r io.Reader, max int) []string {
	f := NewFramer(r, max)
	var all []string
	for {
		m, err := f.Next()
		if err != nil {
			return append(all, err.Error())
		}
		if m.Unsure {
			continue
		}
		if m.Garbage != nil {
			all = append(all, "garbage: "+m.Garbage.Error())
			continue
		}
		var s strings.Builder
		for i, name := range []string{"return", "error", "id", "event", "timestamp", "data", "QMP"} {
			if part := m.Members[i]; part != nil {
				fmt.Fprintf(&s, "%s=%s ", name, part)
			}
		}
		all = append(all, s.String()+"of "+string(m.Text))
	}
}

// TestFrames feeds each stream whole, by the byte, and in two pieces cut anywhere.
func TestFrames(t *testing.T) {
	for _, test := range streams.All {
		t.Run(test.Name, func(t *testing.T) {
			check := func(how string, r io.Reader) {
				t.Helper()
				assert.Empty(t, cmp.Diff(test.Want, frames(r, 1<<20)), how)
			}
			check("whole", strings.NewReader(test.Text))
			check("by the byte", iotest.OneByteReader(strings.NewReader(test.Text)))
			check("with the end", iotest.DataErrReader(strings.NewReader(test.Text)))
			for i := range test.Text {
				check(fmt.Sprintf("cut at %d", i),
					io.MultiReader(strings.NewReader(test.Text[:i]), strings.NewReader(test.Text[i:])))
			}
		})
	}
}

// Two messages on a line are read correctly after the first time that this has happened.
func TestTwoMessagesOnALine(t *testing.T) {
	got := frames(strings.NewReader("{\"event\": \"A\"}{\"event\": \"B\"}\n{\"return\": {}}{\"return\": {}, \"id\": 2}\n"), 1<<20)
	want := []string{`event="A" of {"event": "A"}`, `event="B" of {"event": "B"}`,
		`return={} of {"return": {}}`, `return={} id=2 of {"return": {}, "id": 2}`, "EOF"}
	assert.Empty(t, cmp.Diff(want, got))
}

func TestFrameLimits(t *testing.T) {
	big := `{"return": "` + strings.Repeat("x", 100_000) + `"}` + "\n"
	for _, r := range []io.Reader{strings.NewReader(big), iotest.HalfReader(strings.NewReader(big))} {
		got := frames(r, 1<<20)
		assert.True(t, len(got) == 2 && got[1] == "EOF", "a message of %d bytes gives %.100q", len(big), got)
	}
	got := frames(strings.NewReader(big), 50_000)
	assert.Empty(t, cmp.Diff([]string{"a message is larger than the limit of 50000 bytes"}, got))

	deep := `{"return":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + "}\n"
	got = frames(strings.NewReader(deep), 1<<20)
	assert.True(t, len(got) == 2 && got[1] == "EOF", "%d levels give %.100q", maxDepth, got)
	deep = `{"return":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + "}\n"
	got = frames(strings.NewReader(deep+"{\"event\": 1}\n"), 1<<20)
	require.Len(t, got, 3, "%d levels", maxDepth+1)
	assert.Contains(t, got[0], "it nests deeper than 10000 levels")
	assert.Regexp(t, "^event=1", got[1])
}

// After a large message its buffer is freed.
func TestFrameMemory(t *testing.T) {
	big := `{"return": "` + strings.Repeat("x", 1<<20) + `"}` + "\r\n"
	small := "{\"event\": \"A\"}\r\n"
	f := NewFramer(strings.NewReader(big+small+big), 8<<20)
	m, err := f.Next()
	require.NoError(t, err)
	taken, _ := f.Take(m.Members[Return])
	before := bytes.Clone(taken)
	_, err = f.Next()
	require.NoError(t, err)
	assert.True(t, len(f.buf) <= ReadSize || f.end-f.start > ReadSize, "the buffer still has %d bytes", len(f.buf))
	_, err = f.Next()
	require.NoError(t, err)
	assert.True(t, bytes.Equal(taken, before), "a reply changed after it was handed over")
	_, err = f.Next()
	assert.Same(t, io.EOF, err)
	assert.LessOrEqual(t, len(f.buf), ReadSize, "the buffer at the end")
}

// A stream that never yields anything is an error, not a loop.
func TestFrameNoProgress(t *testing.T) {
	f := NewFramer(emptyReader{}, 100)
	_, err := f.Next()
	assert.ErrorIs(t, err, io.ErrNoProgress)
}

type emptyReader struct{}

func (emptyReader) Read([]byte) (int, error) { return 0, nil }

// FuzzStream reads any bytes in pieces of any size. Whatever they are, messages
// after them are read, and a stream in pieces gives the same as the whole stream.
func FuzzStream(f *testing.F) {
	for _, test := range streams.All {
		f.Add([]byte(test.Text), uint8(3))
	}
	f.Add([]byte(`{"a":[`), uint8(1))
	f.Add([]byte(`{"a":"\`), uint8(1))
	const mark = "\n{\"return\": {}, \"id\": 424242}"
	want := `return={} id=424242 of {"return": {}, "id": 424242}`
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		text := string(stream) + mark + mark + "\n"
		whole := frames(strings.NewReader(text), 1<<20)
		require.GreaterOrEqual(t, len(whole), 2, "the last message is lost")
		require.Equal(t, []string{want, "EOF"}, whole[len(whole)-2:], "the last message is lost:\n%s", strings.Join(whole, "\n"))
		pieces := frames(&pieceReader{text, int(size)%7 + 1}, 1<<20)
		require.Equal(t, want, pieces[len(pieces)-2], "the last message is lost in pieces:\n%s", strings.Join(pieces, "\n"))
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

// What follows a large reply is in the same buffer. The call that gets the reply owns the buffer:
// it may free it at once, and then another connection may read into it.
func TestTakenBufferIsNotReadAnyMore(t *testing.T) {
	const event = `{"event": "A"}`
	f := NewFramer(strings.NewReader(`{"return": "`+strings.Repeat("a", 2<<20)+`"}`+"\r\n"+event+"\r\n"), 8<<20)
	m, err := f.Next()
	require.NoError(t, err)
	_, buffer := f.Take(m.Members[Return])
	require.NotNil(t, buffer)
	clear(buffer)
	m, err = f.Next()
	require.NoError(t, err)
	assert.Equal(t, event, string(m.Text))
}

// Bytes that never become a message are not read again and again: each of these lines could
// be the beginning of a message, and nests too deep.
func TestFrameRescansLittle(t *testing.T) {
	text := strings.Repeat("{\"a\":\n", 1<<20/6)
	f := NewFramer(strings.NewReader(text), 64<<20)
	stretches := 0
	for {
		m, err := f.Next()
		if err != nil {
			break
		}
		require.Nil(t, m.Text, "a message")
		stretches++
	}
	assert.LessOrEqual(t, stretches, 10+len(text)/(4*maxDepth), "stretches of %d bytes", len(text))
}
