package qmp_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/goqapi/goqapi/qmp"
)

func ExampleStart() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.Command("qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none", "-qmp", "stdio")
	cmd.Stderr = os.Stderr
	p, err := qmp.Start(ctx, cmd)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()
	if err := p.Conn.Execute(ctx, "quit", nil, nil); err != nil {
		fmt.Println(err)
	}
	fmt.Println(p.Wait(ctx))
}
