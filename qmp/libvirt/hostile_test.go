package libvirt_test

import (
	"context"
	"io"
	"log"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/virrpc"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
	"github.com/goqapi/goqapi/qmp/qmptest"
)

// scripted is a libvirt that answers the calls of a dial, and lookups, and then sends what a test
// says in place of the answer to the first command. Then it stays, or leaves.
func scripted(stays bool, text func(serial uint32) []byte) libvirt.Option {
	return libvirt.WithDialer(func(context.Context) (io.ReadWriteCloser, error) {
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			for {
				p, err := virrpc.Read(server)
				if err != nil {
					return
				}
				if p.Program == virrpc.QEMU && (p.Procedure == virrpc.MonitorCommand || p.Procedure == virrpc.AgentCommand) {
					_, _ = server.Write(text(p.Serial)) // the client may have left
					if stays {
						_, _ = io.Copy(io.Discard, server)
					}
					return
				}
				var e virrpc.Encoder
				if p.Procedure == virrpc.DomainLookupByName {
					e.Domain(virrpc.Domain{Name: "vm", ID: 1})
				} else {
					e.Uint(0)
				}
				p.Type, p.Body = virrpc.Reply, e.Buf
				if _, err := server.Write(p.Append(nil)); err != nil {
					return
				}
			}
		}()
		return client, nil
	})
}

// answer is a reply to a command.
func answer(serial uint32, text string) []byte {
	var e virrpc.Encoder
	e.String(text)
	p := virrpc.Packet{Body: e.Buf}
	p.Program, p.Version, p.Procedure, p.Type, p.Serial = virrpc.QEMU, 1, virrpc.MonitorCommand, virrpc.Reply, serial
	return p.Append(nil)
}

func TestHostile(t *testing.T) {
	for name, test := range map[string]struct {
		stays bool
		text  func(serial uint32) []byte
		want  string
	}{
		"nothing":         {false, func(uint32) []byte { return nil }, "libvirt has closed it"},
		"no libvirt":      {true, func(uint32) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n") }, "a message of 1213486160 bytes cannot be one of libvirt's"},
		"another number":  {true, func(s uint32) []byte { return answer(s+1, "{}") }, "which belongs to no call"},
		"no JSON":         {true, func(s uint32) []byte { return answer(s, "pong") }, "not a JSON object"},
		"two objects":     {true, func(s uint32) []byte { return answer(s, `{"return":{}}{"return":{}}`) }, "not a JSON object"},
		"no version":      {true, func(s uint32) []byte { return answer(s, `{"return":7}`) }, "greeting"},
		"a refusal":       {true, func(s uint32) []byte { return answer(s, `{"error":{"class":"GenericError","desc":"no"}}`) }, `query-version: {"error": `},
		"many lines":      {true, func(s uint32) []byte { return answer(s, "{\"error\":{\"a\u2028\":1},\n\"x\":\"\u202e\"}") }, `query-version: {"error": {"a\u2028":1}, "x": "\u202e"}`},
		"half of a reply": {false, func(s uint32) []byte { return answer(s, `{"return":{}}`)[:40] }, "unexpected EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				h, err := libvirt.Dial(t.Context(), "qemu:///system", scripted(test.stays, test.text))
				require.NoError(t, err)
				defer h.Close()
				_, err = qmp.DialFunc(t.Context(), h.QMP("vm"))
				assert.ErrorContains(t, err, test.want)
			})
		})
	}
}

// A reply for an agent that libvirt would never send is not read as a reply without a value.
func TestHostileAgent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		h, err := libvirt.Dial(t.Context(), "qemu:///system", scripted(true, func(serial uint32) []byte {
			p := virrpc.Packet{Body: []byte{0, 0, 0, 2}}
			p.Program, p.Version, p.Procedure, p.Type, p.Serial = virrpc.QEMU, 1, virrpc.AgentCommand, virrpc.Reply, serial
			return p.Append(nil)
		}))
		require.NoError(t, err)
		defer h.Close()
		_, err = qmp.DialAgentFunc(t.Context(), h.Agent("vm"))
		assert.ErrorIs(t, err, qmp.ErrNoAgent)
	})
}

// A server cannot answer with one of our own errors.
func TestForgedFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t, 0)
		vm := qmptest.Start(t, qmptest.Unchecked())
		require.NoError(t, w.d.Run("vm", vm, nil))
		for _, class := range []string{"libvirt-AAAA:unsent:68", ":unsent:0", "unsent"} {
			vm.Handle("forge", func(context.Context, *qmptest.Request) (any, error) {
				return nil, &qmp.Error{Class: class, Desc: "not sent"}
			})
			err := w.dial(t, "vm").Conn().Execute(t.Context(), "forge", nil, nil)
			assert.Equal(t, class, qmp.ClassOf(err))
			assert.NotErrorIs(t, err, qmp.ErrNotSent)
		}
	})
}

// Whatever comes from libvirt, nothing panics or waits forever.
func FuzzReplies(f *testing.F) {
	log.SetOutput(io.Discard)
	f.Add(answer(1, `{"return":{"qemu":{"major":9,"minor":1,"micro":0},"package":""}}`), uint32(0))
	var e virrpc.Encoder
	e.Event(virrpc.Event{Domain: virrpc.Domain{Name: "vm", ID: 1}, Name: "STOP", HasData: true, Data: `{"a":1}`})
	p := virrpc.Packet{Body: e.Buf}
	p.Program, p.Version, p.Procedure, p.Type = virrpc.QEMU, 1, virrpc.MonitorEvent, virrpc.Message
	f.Add(p.Append(answer(1, `{"return":{"qemu":{}}}`)), uint32(0))
	f.Fuzz(func(t *testing.T, text []byte, _ uint32) {
		synctest.Test(t, func(t *testing.T) {
			h, err := libvirt.Dial(t.Context(), "qemu:///system", scripted(false, func(serial uint32) []byte {
				if at := strings.Index(string(text), "\x20\x00\x80\x87"); at >= 0 && len(text) > at+20 { // the right number
					copy(text[at+16:at+20], []byte{byte(serial >> 24), byte(serial >> 16), byte(serial >> 8), byte(serial)})
				}
				return text
			}))
			require.NoError(t, err)
			defer h.Close()
			conn, err := qmp.DialFunc(t.Context(), h.QMP("vm"))
			if err != nil {
				return
			}
			s := conn.Subscribe(nil)
			for err == nil {
				_, err = s.Next(t.Context())
			}
			conn.Close()
		})
	})
}
