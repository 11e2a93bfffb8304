package record_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/growth"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

const header = `{"format":"qmp-record","version":1,"start":"2026-11-23T02:44:18Z"}` + "\n"

// TestUnansweredSynchronisations loads the recording of an agent that answered everything
// except synchronisations.
func TestUnansweredSynchronisations(t *testing.T) {
	growth.Linear(t, 8000, func(n int) func() {
		var b strings.Builder
		b.WriteString(header)
		for i := range n {
			fmt.Fprintf(&b, `{"us":%d,"from":"client","message":{"execute":"guest-sync","arguments":{"id":%d}}}`+"\n", i, i)
		}
		for i := range n {
			fmt.Fprintf(&b, `{"us":%d,"from":"server","message":{"return":%d}}`+"\n", n+i, n+i)
		}
		return func() { load(t, b.String()) }
	})
}

// An answer counts for the first synchronisation that it fits; earlier synchronisations
// then have no answer.
func TestSynchronisationsAnsweredOutOfOrder(t *testing.T) {
	const sync = `{"us":1,"from":"client","message":{"execute":"guest-sync","arguments":{"id":%d},"id":"s%d"}}` + "\n"
	const command = `{"us":2,"from":"client","message":{"execute":"guest-ping"}}` + "\n"
	const answer, failure = `{"us":3,"from":"server","message":{"return":%d}}` + "\n", `{"us":3,"from":"server","message":{"error":{"class":"x","desc":"y"},"id":"s%d"}}` + "\n"
	text := header + fmt.Sprintf(sync+sync+sync+sync+sync, 1, 1, 2, 2, 3, 3, 2, 2, 4, 4) + command +
		fmt.Sprintf(answer, 2) + // of the second
		fmt.Sprintf(answer, 2) + // of the fourth
		fmt.Sprintf(answer, 1) + // of none any more: it is the command's
		fmt.Sprintf(failure, 4) // of the fifth
	p := load(t, text).Start(t, record.Options{})
	conn := p.Pipe()
	defer conn.Close()
	go io.WriteString(conn, `{"execute":"guest-ping"}`)
	want := `{"return": 1}` + "\r\n"
	got := make([]byte, len(want))
	_, err := io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, want, string(got))
}

// TestReplayOfLongSessions replays long sessions, in which all commands are the same, to a client
// that sends what was recorded.
func TestReplayOfLongSessions(t *testing.T) {
	for name, command := range map[string]string{
		"one command":  `{"execute":"query-status"}`,
		"negotiations": `{"execute":"qmp_capabilities"}`,
	} {
		for _, lenient := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, lenient %v", name, lenient), func(t *testing.T) {
				growth.Linear(t, 500, func(n int) func() {
					var b strings.Builder
					b.WriteString(header + `{"us":0,"from":"server","message":{"QMP":{}}}` + "\n")
					for i := range n {
						fmt.Fprintf(&b, `{"us":%d,"from":"client","message":%s}`+"\n"+`{"us":%d,"from":"server","message":{"return":{}}}`+"\n", i, command, i)
					}
					s := load(t, b.String())
					return func() {
						p := s.Replay(record.Options{Lenient: lenient})
						conn := p.Pipe()
						heard := make(chan struct{})
						go func() {
							defer close(heard)
							_, _ = io.Copy(io.Discard, conn)
						}()
						_, err := io.WriteString(conn, strings.Repeat(command, n))
						require.NoError(t, err)
						conn.Close()
						<-heard
						require.NoError(t, p.Close())
					}
				})
			})
		}
	}
}

// TestNoName has a command whose name is not a string.
func TestNoName(t *testing.T) {
	const odd = `{"execute":{}}`
	s := load(t, header+`{"us":0,"from":"client","message":`+odd+`}`+"\n"+`{"us":1,"from":"server","message":{"return":{}}}`+"\n")
	p := s.Start(t, record.Options{Lenient: true})
	conn := p.Pipe()
	defer conn.Close()
	go io.WriteString(conn, odd)
	got := make([]byte, len(`{"return": {}}`))
	_, err := io.ReadFull(conn, got)
	require.NoError(t, err)
	require.Equal(t, `{"return": {}}`, string(got))
}
