package qmptest

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endless is a client that never stops writing what it began.
type endless struct {
	text string
	read int64
	most int64 // bytes; then it leaves
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read >= e.most {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		n += copy(p[n:], e.text)
	}
	e.read += int64(n)
	return n, nil
}

// TestLongMessages sends messages that are too long: the server keeps no more of them than a message may
// have, and reads the next message.
func TestLongMessages(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it reads a hundred megabytes")
	}
	long := &endless{text: "{[a", most: maxMessage + 1}
	text, err := readMessage(bufio.NewReader(long), false)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Nil(t, text)

	in := bufio.NewReader(io.MultiReader(
		strings.NewReader(`{"execute":"`), &endless{text: "a", most: maxMessage + 1}, strings.NewReader(`"}{"execute":"b"}`)))
	_, err = readMessage(in, false)
	require.ErrorIs(t, err, errTooLong)
	text, err = readMessage(in, false)
	require.NoError(t, err)
	assert.Equal(t, `{"execute":"b"}`, string(text))
}

// The inbox is bounded: bytes that do not fit stay in the connection, and fill ends when the server
// reads nothing more.
func TestInboxIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := newInbox()
		client, server := net.Pipe()
		filled := make(chan struct{})
		go func() {
			defer close(filled)
			in.fill(server)
		}()
		wrote := 0
		go func() {
			piece := make([]byte, 1<<20)
			for range 100 {
				n, err := client.Write(piece)
				wrote += n
				if err != nil {
					return
				}
			}
		}()
		synctest.Wait()
		assert.Len(t, in.text, maxMessage)

		took, err := io.ReadFull(in, make([]byte, 10<<20))
		require.NoError(t, err)
		synctest.Wait()
		assert.Len(t, in.text, maxMessage, "there was room for %d more", took)

		in.stop()
		<-filled
		client.Close()
		synctest.Wait()
		assert.Less(t, wrote, 100<<20)
	})
}
