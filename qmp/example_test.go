package qmp_test

import (
	"fmt"

	"github.com/goqapi/goqapi/qmp"
)

func ExampleUnixAddr() {
	fmt.Println(qmp.UnixAddr("/run/vm,1/qmp.sock") + ",server=on,wait=off")
	// Output: unix:/run/vm,,1/qmp.sock,server=on,wait=off
}
