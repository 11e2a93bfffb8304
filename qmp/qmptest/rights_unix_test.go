//go:build unix

package qmptest_test

import (
	"net"
	"os"
	"syscall"
)

// writeFile writes some text and passes a file with it, if the connection can.
func writeFile(conn net.Conn, text string, f *os.File) error {
	c, ok := conn.(*net.UnixConn)
	if !ok {
		_, err := conn.Write([]byte(text))
		return err
	}
	_, _, err := c.WriteMsgUnix([]byte(text), syscall.UnixRights(int(f.Fd())), nil)
	return err
}
