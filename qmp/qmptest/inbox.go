package qmptest

import (
	"net"
	"os"
	"sync"
)

// An inbox holds what a client has written until the server reads it. So the server notices
// at once that a client has left, even while it executes a command of that client. The
// inbox holds at most one message of the largest size; the rest waits in the connection.
type inbox struct {
	mu   sync.Mutex
	text []byte
	err  error         // what comes after the text
	more chan struct{} // holds a value if there may be more text, or an error
	room chan struct{} // holds a value if there may be room again
	gone chan struct{} // closed when the server reads nothing more

	came, taken int64 // bytes
	arrivals    []arrival
}

func newInbox() *inbox {
	return &inbox{more: make(chan struct{}, 1), room: make(chan struct{}, 1), gone: make(chan struct{})}
}

// fill reads from conn until the end.
func (i *inbox) fill(conn net.Conn) {
	buf := make([]byte, 4<<10)
	source := withFiles(conn)
	for {
		var n int
		var files []*os.File
		var err error
		if source != nil {
			n, files, err = source.readFiles(buf)
		} else {
			n, err = conn.Read(buf)
		}
		i.add(buf[:n], files, err)
		if err != nil {
			return
		}
		for i.full() {
			select {
			case <-i.room:
			case <-i.gone:
				return
			}
		}
	}
}

func (i *inbox) full() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.text) >= maxMessage
}

func (i *inbox) add(text []byte, files []*os.File, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(files) > 0 {
		i.arrivals = append(i.arrivals, arrival{i.came, files})
	}
	i.came += int64(len(text))
	i.text, i.err = append(i.text, text...), err
	select {
	case i.more <- struct{}{}:
	default:
	}
}

// Read waits until something has come, and takes it.
func (i *inbox) Read(p []byte) (int, error) {
	for {
		n, err := i.take(p)
		if n > 0 || err != nil {
			return n, err
		}
		<-i.more
	}
}

func (i *inbox) take(p []byte) (int, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.text) == 0 {
		return 0, i.err
	}
	n := copy(p, i.text)
	i.text = i.text[n:]
	i.taken += int64(n)
	select {
	case i.room <- struct{}{}:
	default:
	}
	return n, nil
}

// files returns the last files that came with the bytes that were taken. The last bytes, as
// many as unread, do not count: nobody has read them yet. It closes files that came
// earlier.
func (i *inbox) files(unread int) (last []*os.File) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.arrivals) > 0 && i.arrivals[0].at < i.taken-int64(unread) {
		closeFiles(last)
		last, i.arrivals = i.arrivals[0].files, i.arrivals[1:]
	}
	return last
}

// stop makes fill end, also if it waits.
func (i *inbox) stop() { close(i.gone) }

// close closes the files that nobody has taken.
func (i *inbox) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, a := range i.arrivals {
		closeFiles(a.files)
	}
}
