package qmptest

import (
	"net"
	"os"
)

// An arrival has files, and how many bytes had been read before they came.
type arrival struct {
	at    int64
	files []*os.File
}

// A fileReader is a connection through which files can come.
type fileReader interface {
	readFiles(p []byte) (n int, files []*os.File, err error)
}

// withFiles returns a connection as one through which files can come; nil if they cannot.
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

// TakeFile returns a file that came with the request, or with an earlier request that did not take
// it; nil if there is none. The caller must close it. Files can only come through Unix sockets; see
// [Server.Listen].
func (r *Request) TakeFile() *os.File {
	if r.session == nil {
		return nil
	}
	return r.session.takeFile()
}

// setFiles keeps the files that came with a request, and closes the earlier ones, as QEMU does.
func (c *session) setFiles(files []*os.File) {
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
