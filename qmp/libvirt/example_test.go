package libvirt_test

import (
	"context"
	"fmt"
	"log"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/libvirt"
)

// The state of each running QEMU of another host.
func Example() {
	ctx := context.Background()
	h, err := libvirt.Dial(ctx, "qemu+ssh://root@vmhost/system")
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close()
	domains, err := h.Domains(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for _, d := range domains {
		if d.ID < 0 {
			continue
		}
		conn, err := qmp.DialFunc(ctx, h.QMP(d.Name))
		if err != nil {
			log.Print(err)
			continue
		}
		status, err := qapi.NewClient(conn).QueryStatus(ctx)
		fmt.Println(d.Name, status.Status, err)
		conn.Close()
	}
}
