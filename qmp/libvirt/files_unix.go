//go:build unix

package libvirt

import (
	"net"
	"syscall"
)

const canSendFiles = true

// sendFile sends a descriptor with one byte.
func sendFile(c *net.UnixConn, fd int) error {
	_, _, err := c.WriteMsgUnix([]byte{0}, syscall.UnixRights(fd), nil)
	return err
}
