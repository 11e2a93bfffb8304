//go:build !unix

package qmptest_test

import (
	"net"
	"os"
)

func writeFile(conn net.Conn, text string, _ *os.File) error {
	_, err := conn.Write([]byte(text))
	return err
}
