package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/go-json-experiment/json"

	"github.com/goqapi/goqapi/internal/wirejson"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest/record"
)

// A recorder writes the messages that are sent and received to a file, in the format of package record
// and without secrets. The zero recorder writes nothing.
type recorder struct {
	mu   sync.Mutex
	file *os.File
	tape io.ReadWriteCloser // what passes through it is recorded
	from *feed
}

// A feed is a stream from which the texts that it was given are read.
type feed struct{ next []byte }

func (f *feed) Read(b []byte) (int, error) {
	n := copy(b, f.next)
	f.next = f.next[n:]
	return n, nil
}

func (f *feed) Write(b []byte) (int, error) { return len(b), nil }

func (f *feed) Close() error { return nil }

// start begins a recording, as if the connection had been made just now.
func (r *recorder) start(path string, create func(string) (*os.File, error), greeting qmp.Greeting) error {
	if err := r.close(); err != nil {
		return err
	}
	file, err := create(path)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.file, r.from = file, &feed{}
	r.tape = record.Stream(r.from, file)
	r.mu.Unlock()
	r.message(greetingJSON(greeting))
	r.sent([]byte(`{"execute":"qmp_capabilities"}`))
	r.message([]byte(`{"return":{}}`))
	return nil
}

// close ends the recording, if there is one.
func (r *recorder) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tape == nil {
		return nil
	}
	err := errors.Join(r.tape.Close(), r.file.Close())
	r.tape = nil
	return err
}

// sent records a command.
func (r *recorder) sent(message []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tape != nil {
		_, _ = r.tape.Write(append(message[:len(message):len(message)], '\n')) // close returns the error
	}
}

// message records a message of the server.
func (r *recorder) message(text []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.tape == nil || text == nil {
		return
	}
	r.from.next = append(text[:len(text):len(text)], '\r', '\n')
	for buffer := make([]byte, 4096); len(r.from.next) > 0; {
		_, _ = r.tape.Read(buffer) // a feed has no errors
	}
}

// answered records the reply to a command. An error that is not a refusal does not come from the
// server, and is not recorded.
func (r *recorder) answered(value []byte, err error) {
	r.mu.Lock()
	recording := r.tape != nil
	r.mu.Unlock()
	if recording {
		r.message(answerJSON(value, err))
	}
}

func (r *recorder) event(e qmp.Event) {
	r.mu.Lock()
	recording := r.tape != nil
	r.mu.Unlock()
	if recording {
		r.message(eventJSON(e))
	}
}

// answerJSON returns a reply as the server sent it; nil if it sent none.
func answerJSON(value []byte, err error) []byte {
	if err == nil {
		return fmt.Appendf(nil, `{"return": %s}`, value)
	}
	refused, ok := errors.AsType[*qmp.Error](err)
	if !ok {
		return nil
	}
	return errorJSON(refused.Class, refused.Desc)
}

func errorJSON(class, desc string) []byte {
	type problem struct {
		Class string `json:"class,omitzero"`
		Desc  string `json:"desc"`
	}
	text, err := json.Marshal(struct {
		Error problem `json:"error"`
	}{problem{class, desc}}, wirejson.Lenient())
	if err != nil {
		panic(err) // these are strings
	}
	return text
}

// greetingJSON returns a greeting as the server sent it.
func greetingJSON(g qmp.Greeting) []byte {
	type numbers struct {
		Micro int `json:"micro"`
		Minor int `json:"minor"`
		Major int `json:"major"`
	}
	type version struct {
		QEMU    numbers `json:"qemu"`
		Package string  `json:"package"`
	}
	type content struct {
		Version      version  `json:"version"`
		Capabilities []string `json:"capabilities"`
	}
	v := g.Version
	text, err := json.Marshal(struct {
		QMP content `json:"QMP"`
	}{content{version{numbers{v.Micro, v.Minor, v.Major}, v.Package}, g.Capabilities}}, wirejson.Lenient())
	if err != nil {
		panic(err) // these are strings and numbers
	}
	return text
}
