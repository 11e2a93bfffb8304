package libvirttest

import (
	"encoding/json"
	"errors"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp"
)

// A monitor is libvirt's connection to a QEMU. It passes on an event before it returns a
// reply that came later.
type monitor struct {
	conn     net.Conn
	event    func(qmp.Event)
	loseLast atomic.Bool // the messages that QEMU sends when it quits will be lost
	quitting atomic.Bool // QEMU quits, and its messages are lost now

	replies chan []byte
	ended   chan struct{} // closed when QEMU has closed it
}

// shutdown is the event of a QEMU that quits.
const shutdown = "SHUTDOWN"

var errReset = errors.New("connection reset by peer")

func openMonitor(conn net.Conn, event func(qmp.Event)) *monitor {
	m := &monitor{conn: conn, event: event, replies: make(chan []byte, 1), ended: make(chan struct{})}
	go m.read()
	return m
}

func (m *monitor) negotiate() error {
	_, err := m.execute([]byte(`{"execute":"qmp_capabilities"}`))
	return err
}

// execute sends a command and returns the reply. Only one command may be executed at a time.
func (m *monitor) execute(command []byte) ([]byte, error) {
	m.quitting.Store(m.loseLast.Load() && isQuit(command))
	if _, err := m.conn.Write(append(command, '\n')); err != nil {
		return nil, err
	}
	reply, ok := <-m.replies
	switch {
	case ok:
		return reply, nil
	case m.quitting.Load():
		return nil, errReset
	}
	return nil, io.EOF
}

func isQuit(command []byte) bool {
	var c struct {
		Execute string `json:"execute"`
	}
	return json.Unmarshal(command, &c) == nil && c.Execute == "quit"
}

func (m *monitor) read() {
	defer close(m.ended)
	defer close(m.replies)
	d := jsontext.NewDecoder(m.conn, wirejson.Lenient())
	for {
		text, err := d.ReadValue()
		if err != nil {
			return
		}
		var message struct {
			Greeting  json.RawMessage `json:"QMP"`
			Event     string          `json:"event"`
			Error     json.RawMessage `json:"error"`
			Data      json.RawMessage `json:"data"`
			Timestamp struct {
				Seconds      int64 `json:"seconds"`
				Microseconds int64 `json:"microseconds"`
			} `json:"timestamp"`
		}
		switch err := json.Unmarshal(text, &message); {
		case err != nil || message.Greeting != nil:
		case m.quitting.Load() && message.Error == nil: // it is lost
		case message.Event != "":
			at := time.Unix(message.Timestamp.Seconds, message.Timestamp.Microseconds*1000)
			m.event(qmp.Event{Name: message.Event, Data: message.Data, Timestamp: at})
		default:
			m.replies <- text.Clone()
		}
	}
}
