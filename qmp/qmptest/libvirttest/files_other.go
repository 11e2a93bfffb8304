//go:build !unix

package libvirttest

import (
	"net"
	"os"

	"github.com/goqapi/goqapi/qmp"
)

func receiveFiles(net.Conn, int) ([]*os.File, error) { return nil, qmp.ErrNoFiles }
