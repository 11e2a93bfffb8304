//go:build !unix

package libvirt

import (
	"net"

	"github.com/goqapi/goqapi/qmp"
)

const canSendFiles = false

func sendFile(*net.UnixConn, int) error { return qmp.ErrNoFiles }
