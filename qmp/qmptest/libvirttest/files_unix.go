//go:build unix

package libvirttest

import (
	"errors"
	"net"
	"os"
	"syscall"
)

// receiveFiles receives n files, each of which comes with a byte of zero.
func receiveFiles(conn net.Conn, n int) ([]*os.File, error) {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.New("files come on a stream that cannot pass any")
	}
	var files []*os.File
	for range n {
		rights := make([]byte, syscall.CmsgSpace(4))
		_, got, _, _, err := c.ReadMsgUnix(make([]byte, 1), rights)
		if err != nil {
			return files, err
		}
		messages, err := syscall.ParseSocketControlMessage(rights[:got])
		if err != nil || len(messages) == 0 {
			return files, errors.Join(errors.New("a byte came without its file"), err)
		}
		fds, err := syscall.ParseUnixRights(&messages[0])
		if err != nil {
			return files, err
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files, nil
}
