package qmptest

import (
	"net"
	"os"
)

// An arrival is some files, and how much had been read before they came.
type arrival struct {
	at    int64
	files []*os.File
}

// A reader with files is a connection that files can come through.
type fileReader interface {
	readFiles(p []byte) (n int, files []*os.File, err error)
}

// withFiles is a connection as one that files can come through; nil if it is none.
func withFiles(conn net.Conn) fileReader {
	if c, ok := conn.(*net.UnixConn); ok && canTakeFiles {
		return unixFiles{c}
	}
	return nil
}

type unixFiles struct{ *net.UnixConn }

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// TakeFile returns a file that came with the request, or with one before it that did not
// take it; nil if there is none. Close it when it is of no more use. Files come only
// through Unix sockets; see [Server.Listen].
func (r *Request) TakeFile() *os.File {
	if r.session == nil {
		return nil
	}
	return r.session.takeFile()
}

// bring keeps the files that came with a request in place of those before, as QEMU does.
func (c *session) bring(files []*os.File) {
	if len(files) == 0 {
		return
	}
	c.filesMu.Lock()
	defer c.filesMu.Unlock()
	closeFiles(c.files)
	c.files = files
}

// takeFile takes the first of the files, and closes the others.
func (c *session) takeFile() *os.File {
	c.filesMu.Lock()
	defer c.filesMu.Unlock()
	if len(c.files) == 0 {
		return nil
	}
	f := c.files[0]
	closeFiles(c.files[1:])
	c.files = nil
	return f
}
