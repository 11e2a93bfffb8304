package target

import (
	"context"
	"fmt"
	"strings"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
)

// systemURI is the libvirt of this host; tests have another one.
var systemURI = "qemu:///system"

// libvirtURI returns libvirt's URI and the machine's name for one of our addresses:
// libvirt:NAME, or libvirt+ssh://HOST/NAME.
func libvirtURI(address string) (uri, name string, err error) {
	transport, rest, _ := strings.Cut(address, ":")
	if transport == "libvirt" {
		name = strings.TrimPrefix(rest, "///")
		if name == "" || strings.Contains(name, "/") {
			return "", "", fmt.Errorf("%q is not libvirt:NAME", address)
		}
		return systemURI, name, nil
	}
	host, name, ok := strings.Cut(strings.TrimPrefix(rest, "//"), "/")
	if !ok || host == "" || name == "" || !strings.HasPrefix(rest, "//") {
		return "", "", fmt.Errorf("%q is not %s://HOST/NAME", address, transport)
	}
	return "qemu" + strings.TrimPrefix(transport, "libvirt") + "://" + host + "/system", name, nil
}

// dialLibvirt connects to a machine that libvirt owns. The connection to libvirt ends
// together with the one that dial returns.
func dialLibvirt(ctx context.Context, address string, dial func(h *libvirt.Host, name string) (*qmp.Conn, error)) (*qmp.Conn, error) {
	uri, name, err := libvirtURI(address)
	if err != nil {
		return nil, err
	}
	h, err := libvirt.Dial(ctx, uri)
	if err != nil {
		return nil, err
	}
	conn, err := dial(h, name)
	if err != nil {
		h.Close()
		return nil, err
	}
	go func() {
		<-conn.Done()
		h.Close()
	}()
	return conn, nil
}
