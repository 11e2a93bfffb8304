package libvirttest

import (
	"encoding/json"
	"io"
	"net"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp"
)

// A monitor is libvirt's connection to a QEMU. It passes on an event before it returns a
// reply that came later.
type monitor struct {
	conn  net.Conn
	event func(qmp.Event)

	replies chan []byte
}

// openMonitor negotiates.
func openMonitor(conn net.Conn, event func(qmp.Event)) (*monitor, error) {
	m := &monitor{conn: conn, event: event, replies: make(chan []byte, 1)}
	go m.read()
	if _, err := m.execute([]byte(`{"execute":"qmp_capabilities"}`)); err != nil {
		return nil, err
	}
	return m, nil
}

// execute sends a command and returns the reply. One may be executed at a time.
func (m *monitor) execute(command []byte) ([]byte, error) {
	if _, err := m.conn.Write(append(command, '\n')); err != nil {
		return nil, err
	}
	reply, ok := <-m.replies
	if !ok {
		return nil, io.EOF
	}
	return reply, nil
}

func (m *monitor) read() {
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
			Data      json.RawMessage `json:"data"`
			Timestamp struct {
				Seconds      int64 `json:"seconds"`
				Microseconds int64 `json:"microseconds"`
			} `json:"timestamp"`
		}
		switch err := json.Unmarshal(text, &message); {
		case err != nil || message.Greeting != nil:
		case message.Event != "":
			at := time.Unix(message.Timestamp.Seconds, message.Timestamp.Microseconds*1000)
			m.event(qmp.Event{Name: message.Event, Data: message.Data, Timestamp: at})
		default:
			m.replies <- text.Clone()
		}
	}
}
