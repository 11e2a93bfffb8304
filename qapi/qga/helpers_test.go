package qga_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi/qga"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

type object = map[string]any

func TestRun(t *testing.T) {
	running := object{"exited": false}
	answers := map[string]answer{
		"guest-exec": reply(object{"pid": 7}),
		"guest-exec-status": inTurn(running, running, running, object{"exited": true, "exitcode": 3,
			"out-data": "b3V0", "err-data": "ZXJy", "out-truncated": true, "err-truncated": false}),
	}
	withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
		begin := time.Now()
		r, err := qga.Run(t.Context(), c, qga.Command{Path: "/bin/sh", Args: []string{"-c", "x"}, Stdin: []byte("in")})
		require.NoError(t, err)
		assert.Equal(t, qga.Result{Exited: true, ExitCode: 3, Stdout: []byte("out"), Stderr: []byte("err"), StdoutTruncated: true}, r)
		assert.False(t, r.Success())
		assert.Equal(t, (1+2+4)*time.Millisecond, time.Since(begin), "it asks at growing intervals")
		const status = `guest-exec-status{"pid":7}`
		assert.Equal(t, []string{
			`guest-exec{"path":"/bin/sh","arg":["-c","x"],"input-data":"aW4=","capture-output":true}`,
			status, status, status, status,
		}, a.commands())
	})
}

func TestRunEnds(t *testing.T) {
	for name, test := range map[string]struct {
		status  object
		want    qga.Result
		success bool
	}{
		"well":             {object{"exited": true, "exitcode": 0}, qga.Result{Exited: true}, true},
		"without a signal": {object{"exited": true, "exitcode": 0, "signal": 0}, qga.Result{Exited: true}, true},
		"by a signal":      {object{"exited": true, "signal": 9}, qga.Result{ExitCode: -1, Signal: 9}, false},
		"an old agent": {object{"exited": true, "exitcode": 1, "err-data": "ZXJy"},
			qga.Result{Exited: true, ExitCode: 1, Stderr: []byte("err")}, false},
		"output cut short": {object{"exited": true, "exitcode": 0, "err-truncated": true},
			qga.Result{Exited: true, StderrTruncated: true}, true},
		"it is not said how":    {object{"exited": true}, qga.Result{ExitCode: -1}, false},
		"by no signal":          {object{"exited": true, "signal": 0}, qga.Result{ExitCode: -1}, false},
		"by both":               {object{"exited": true, "exitcode": 0, "signal": 9}, qga.Result{ExitCode: -1, Signal: 9}, false},
		"with 32 zeroes":        {object{"exited": true, "exitcode": int64(1 << 32)}, qga.Result{Exited: true, ExitCode: 1 << 32}, false},
		"a signal of 32 zeroes": {object{"exited": true, "exitcode": 0, "signal": int64(1 << 32)}, qga.Result{ExitCode: -1, Signal: 1 << 32}, false},
		"by an exception":       {object{"exited": true, "signal": int64(0xC0000005)}, qga.Result{ExitCode: -1, Signal: 0xC0000005}, false},
	} {
		t.Run(name, func(t *testing.T) {
			answers := map[string]answer{
				"guest-exec":        reply(object{"pid": 7}),
				"guest-exec-status": reply(test.status),
			}
			withFake(t, answers, func(t *testing.T, c *qga.Client, _ *fakeAgent) {
				got, err := qga.Run(t.Context(), c, qga.Command{Path: "p"})
				require.NoError(t, err)
				assert.Equal(t, test.want, got)
				assert.Equal(t, test.success, got.Success())
			})
		})
	}
	assert.False(t, qga.Result{}.Success(), "false, since there is an error")
}

// TestRunOutput has a guest that sends more than an agent keeps. TestQEMURun has one
// that sends exactly that much.
func TestRunOutput(t *testing.T) {
	output := strings.Repeat("AAAA", (16<<20)/3+1)
	answers := map[string]answer{
		"guest-exec":        reply(object{"pid": 7}),
		"guest-exec-status": reply(object{"exited": true, "exitcode": 0, "err-data": output}),
	}
	withFake(t, answers, func(t *testing.T, c *qga.Client, _ *fakeAgent) {
		r, err := qga.Run(t.Context(), c, qga.Command{Path: "p"})
		require.EqualError(t, err, "qga: run p: waiting for process 7: the agent sent 16777218 bytes of standard error: the limit is 16777216")
		assert.False(t, r.Success())
	})
}

func TestRunFails(t *testing.T) {
	t.Run("there is no such program", func(t *testing.T) {
		answers := map[string]answer{"guest-exec": reply(refusal(qmp.ClassGenericError))}
		withFake(t, answers, func(t *testing.T, c *qga.Client, _ *fakeAgent) {
			_, err := qga.Run(t.Context(), c, qga.Command{Path: "/bin/fly"})
			require.EqualError(t, err, "qga: run /bin/fly: qmp: guest-exec: no")
			failed := new(qga.RunError)
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, "/bin/fly", failed.Path)
			assert.Zero(t, failed.PID)
			_, err = qga.Run(t.Context(), c, qga.Command{Path: "/bin/\x1b[2Jfly\n"})
			require.EqualError(t, err, `qga: run /bin/\x1b[2Jfly\n: qmp: guest-exec: no`)
		})
	})
	t.Run("it takes too long", func(t *testing.T) {
		answers := map[string]answer{
			"guest-exec":        reply(object{"pid": 7}),
			"guest-exec-status": reply(object{"exited": false}),
		}
		withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := qga.Run(ctx, c, qga.Command{Path: "/bin/sleep"})
			require.EqualError(t, err, "qga: run /bin/sleep: waiting for process 7: context deadline exceeded")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			failed := new(qga.RunError)
			require.ErrorAs(t, err, &failed)
			assert.EqualValues(t, 7, failed.PID)
			assert.Less(t, len(a.commands()), 140, "about every half second, not much more often")
			require.NoError(t, c.GuestPing(t.Context()), "the client still works")
		})
	})
	t.Run("the agent ends", func(t *testing.T) {
		answers := map[string]answer{
			"guest-exec":        reply(object{"pid": 7}),
			"guest-exec-status": inTurn(object{"exited": false}, silence{}),
		}
		withFake(t, answers, func(t *testing.T, c *qga.Client, _ *fakeAgent) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			_, err := qga.Run(ctx, c, qga.Command{Path: "p"})
			require.ErrorIs(t, err, qmp.ErrAbandoned)
		})
	})
}

// atMost is the largest number of bytes that the fake agent reads or writes at a time.
const atMost = 100_000

// fileAnswers returns the answers of an agent with one file.
func fileAnswers(content *bytes.Buffer) map[string]answer {
	return map[string]answer{
		"guest-file-open":  reply(1000),
		"guest-file-close": reply(object{}),
		"guest-file-flush": reply(object{}),
		"guest-file-write": func(args json.RawMessage) any {
			var w qga.GuestFileWriteArgs
			if err := json.Unmarshal(args, &w); err != nil {
				return refusal(err.Error())
			}
			n, _ := content.Write(w.BufB64[:min(len(w.BufB64), atMost)])
			return object{"count": n, "eof": false}
		},
		"guest-file-read": func(args json.RawMessage) any {
			var r qga.GuestFileReadArgs
			if err := json.Unmarshal(args, &r); err != nil {
				return refusal(err.Error())
			}
			data := content.Next(int(min(*r.Count, atMost)))
			return object{"count": len(data), "buf-b64": data, "eof": content.Len() == 0}
		},
	}
}

func TestFile(t *testing.T) {
	for _, size := range []int{0, 1, 300, atMost, 3 * atMost} {
		want := bytes.Repeat([]byte("0123456789\x00\xff"), size/12+1)[:size]
		content := new(bytes.Buffer)
		withFake(t, fileAnswers(content), func(t *testing.T, c *qga.Client, a *fakeAgent) {
			n, err := qga.Upload(t.Context(), c, "/f", iotest.OneByteReader(bytes.NewReader(want)))
			require.NoError(t, err)
			assert.EqualValues(t, size, n)
			assert.True(t, bytes.Equal(want, content.Bytes()))
			assert.Equal(t, `guest-file-open{"path":"/f","mode":"w"}`, a.commands()[1], "after a ping")

			got := new(bytes.Buffer)
			n, err = qga.Download(t.Context(), c, "/f", got)
			require.NoError(t, err)
			assert.EqualValues(t, size, n)
			assert.True(t, bytes.Equal(want, got.Bytes()))

			if size > 2000 {
				return // one byte at a time is slow
			}
			content.Write(want)
			f, err := qga.OpenFile(t.Context(), c, "/f", "r")
			require.NoError(t, err)
			require.NoError(t, iotest.TestReader(struct{ io.Reader }{f}, want))
			require.NoError(t, f.Close())
			log := a.commands()
			assert.Equal(t, `guest-file-close{"handle":1000}`, log[len(log)-1])
		})
	}
}

func TestFileFails(t *testing.T) {
	broken := errors.New("broken")
	for name, test := range map[string]struct {
		change map[string]answer
		do     func(ctx context.Context, c *qga.Client) (int64, error)
		n      int64
		want   string
	}{
		"it cannot be opened": {
			map[string]answer{"guest-file-open": reply(refusal(qmp.ClassGenericError))},
			func(ctx context.Context, c *qga.Client) (int64, error) { return qga.Download(ctx, c, "/f", io.Discard) },
			0, "qga: open /f: qmp: guest-file-open: no",
		},
		"the source breaks": {
			nil,
			func(ctx context.Context, c *qga.Client) (int64, error) {
				return qga.Upload(ctx, c, "/f", io.MultiReader(bytes.NewReader(make([]byte, 1500)), iotest.ErrReader(broken)))
			},
			1500, "broken",
		},
		"the source is cut short": {
			nil,
			func(ctx context.Context, c *qga.Client) (int64, error) {
				return qga.Upload(ctx, c, "/f", io.MultiReader(bytes.NewReader(make([]byte, 15)), iotest.ErrReader(io.ErrUnexpectedEOF)))
			},
			15, "unexpected EOF",
		},
		"the target breaks": {
			map[string]answer{"guest-file-read": reply(object{"count": 1, "buf-b64": "AA==", "eof": true})},
			func(ctx context.Context, c *qga.Client) (int64, error) {
				r, w := io.Pipe()
				r.CloseWithError(broken)
				return qga.Download(ctx, c, "/f", w)
			},
			0, "broken",
		},
		"the guest's disk is full": {
			map[string]answer{"guest-file-write": inTurn(object{"count": 2, "eof": false}, refusal(qmp.ClassGenericError))},
			func(ctx context.Context, c *qga.Client) (int64, error) {
				return qga.Upload(ctx, c, "/f", bytes.NewReader(make([]byte, 5)))
			},
			2, "qga: write /f: qmp: guest-file-write: no",
		},
		"only closing finds out": {
			map[string]answer{"guest-file-close": reply(refusal(qmp.ClassGenericError))},
			func(ctx context.Context, c *qga.Client) (int64, error) {
				return qga.Upload(ctx, c, "/f", bytes.NewReader(make([]byte, 5)))
			},
			5, "qga: close /f: qmp: guest-file-close: no",
		},
		"nothing is written": {
			map[string]answer{"guest-file-write": reply(object{"count": 0, "eof": false})},
			func(ctx context.Context, c *qga.Client) (int64, error) {
				return qga.Upload(ctx, c, "/f", bytes.NewReader(make([]byte, 5)))
			},
			0, "qga: write /f: the agent wrote 0 bytes of 5",
		},
		"nothing is read": {
			map[string]answer{"guest-file-read": reply(object{"count": 0, "buf-b64": "", "eof": false})},
			func(ctx context.Context, c *qga.Client) (int64, error) { return qga.Download(ctx, c, "/f", io.Discard) },
			0, "qga: read /f: multiple Read calls return no data or error",
		},
		"more is read than was asked for": {
			map[string]answer{"guest-file-read": reply(object{"count": 3, "buf-b64": "AAAA", "eof": false})},
			func(ctx context.Context, c *qga.Client) (int64, error) {
				f, err := qga.OpenFile(ctx, c, "/f", "r")
				if err != nil {
					return 0, err
				}
				n, err := f.Read(make([]byte, 2))
				return int64(n), errors.Join(err, f.Close())
			},
			0, "qga: read /f: the agent sent 3 bytes when it was asked for 2",
		},
		"less is read than the agent says": {
			map[string]answer{"guest-file-read": reply(object{"count": 4, "buf-b64": "AAAA", "eof": false})},
			func(ctx context.Context, c *qga.Client) (int64, error) {
				return qga.Download(ctx, c, "/f\n", io.Discard)
			},
			0, `qga: read /f\n: the agent sent 3 bytes, but says that it read 4`,
		},
		"less than nothing is read": {
			map[string]answer{"guest-file-read": reply(object{"count": -1, "buf-b64": "", "eof": true})},
			func(ctx context.Context, c *qga.Client) (int64, error) { return qga.Download(ctx, c, "/f", io.Discard) },
			0, "qga: read /f: the agent sent 0 bytes, but says that it read -1",
		},
		"more is written than was sent": {
			map[string]answer{"guest-file-write": reply(object{"count": 6, "eof": false})},
			func(ctx context.Context, c *qga.Client) (int64, error) {
				return qga.Upload(ctx, c, "/f", bytes.NewReader(make([]byte, 5)))
			},
			0, "qga: write /f: the agent wrote 6 bytes of 5",
		},
		"less than nothing is written": {
			map[string]answer{"guest-file-write": reply(object{"count": -1, "eof": false})},
			func(ctx context.Context, c *qga.Client) (int64, error) {
				return qga.Upload(ctx, c, "/f", bytes.NewReader(make([]byte, 5)))
			},
			0, "qga: write /f: the agent wrote -1 bytes of 5",
		},
		"the position is negative": {
			map[string]answer{"guest-file-seek": reply(object{"position": -1, "eof": false})},
			func(ctx context.Context, c *qga.Client) (int64, error) {
				f, err := qga.OpenFile(ctx, c, "/f", "r")
				if err != nil {
					return 0, err
				}
				n, err := f.Seek(0, io.SeekCurrent)
				return n, errors.Join(err, f.Close())
			},
			0, "qga: seek in /f: the agent says that the position is -1",
		},
		"no such whence": {
			nil,
			func(ctx context.Context, c *qga.Client) (int64, error) {
				f, err := qga.OpenFile(ctx, c, "/f", "r")
				if err != nil {
					return 0, err
				}
				n, err := f.Seek(0, 9)
				return n, errors.Join(err, f.Close())
			},
			0, "qga: seek in /f: whence is 9",
		},
	} {
		t.Run(name, func(t *testing.T) {
			answers := fileAnswers(new(bytes.Buffer))
			maps.Copy(answers, test.change)
			withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
				n, err := test.do(t.Context(), c)
				require.EqualError(t, err, test.want)
				assert.Equal(t, test.n, n)
				if log := a.commands(); len(log) > 2 {
					assert.Equal(t, `guest-file-close{"handle":1000}`, log[len(log)-1], "it is closed all the same")
				}
			})
		})
	}
}

// TestFileCut loses the connection in the middle of a file, which is not its end.
func TestFileCut(t *testing.T) {
	withFake(t, fileAnswers(bytes.NewBufferString("text")), func(t *testing.T, c *qga.Client, a *fakeAgent) {
		f, err := qga.OpenFile(t.Context(), c, "/f", "r")
		require.NoError(t, err)
		a.Handle("guest-file-read", func(context.Context, *qmptest.Request) (any, error) {
			a.Cut()
			return nil, qmptest.ErrNoReply
		})
		_, err = io.Copy(io.Discard, f)
		require.ErrorIs(t, err, qmp.ErrClosed)
		require.NotErrorIs(t, err, io.EOF)
		_, err = f.Read(make([]byte, 10))
		require.ErrorIs(t, err, qmp.ErrClosed)
		require.NotErrorIs(t, err, io.EOF)
	})
}

// TestFileContext ends the context in the middle: the file is closed in the guest.
func TestFileContext(t *testing.T) {
	answers := fileAnswers(new(bytes.Buffer))
	answers["guest-file-read"] = reply(silence{})
	withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := qga.Download(ctx, c, "/f", io.Discard)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		log := a.commands()
		assert.Equal(t, `guest-file-close{"handle":1000}`, log[len(log)-1])
	})
}

// TestOpenLate ends the context of a file while the agent opens it.
func TestOpenLate(t *testing.T) {
	withFake(t, fileAnswers(new(bytes.Buffer)), func(t *testing.T, c *qga.Client, a *fakeAgent) {
		a.Fault("guest-file-open", qmptest.Delay(3*time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		_, err := qga.OpenFile(ctx, c, "/f", "w")
		require.EqualError(t, err, "qga: open /f: context deadline exceeded: the command was sent, its reply is abandoned")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.True(t, qmp.MayHaveRun(err))
		assert.Equal(t, time.Second, time.Since(begin))
		assert.Len(t, a.commands(), 2)
		time.Sleep(5 * time.Second)
		assert.Equal(t, `guest-file-close{"handle":1000}`, a.commands()[2])
	})
	t.Run("the agent is gone", func(t *testing.T) {
		answers := fileAnswers(new(bytes.Buffer))
		answers["guest-file-open"] = reply(silence{})
		withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := qga.OpenFile(ctx, c, "/f", "w")
			require.ErrorIs(t, err, qmp.ErrAbandoned)
			time.Sleep(time.Minute)
			require.NoError(t, c.Conn().WaitIdle(t.Context()), "nothing waits for it forever")
			assert.Len(t, a.commands(), 2)
		})
	})
	t.Run("the agent is silent before", func(t *testing.T) {
		withFake(t, fileAnswers(new(bytes.Buffer)), func(t *testing.T, c *qga.Client, a *fakeAgent) {
			resume := a.PauseGuest()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := qga.OpenFile(ctx, c, "/f", "w")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			resume()
			require.NoError(t, c.GuestPing(t.Context()))
			assert.Zero(t, a.Count("guest-file-open"), "it is not emptied later")
		})
	})
}
func TestShutdown(t *testing.T) {
	answers := map[string]answer{"guest-shutdown": inTurn(refusal(qmp.ClassGenericError), silence{})}
	withFake(t, answers, func(t *testing.T, c *qga.Client, a *fakeAgent) {
		refused := new(qmp.Error)
		require.ErrorAs(t, c.GuestShutdown(t.Context(), qga.GuestShutdownArgs{}), &refused)
		time.AfterFunc(time.Minute, a.Cut)
		require.NoError(t, c.GuestShutdown(t.Context(), qga.GuestShutdownArgs{Mode: new("powerdown")}))
	})
}
