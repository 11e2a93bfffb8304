//go:build unix

package qmp_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/goqapi/goqapi/qmp"
)

// A QEMU of our own that inherits one end of a socketpair: nobody else can connect, and
// files can be passed.
func ExampleNewConn() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	ours, theirs := os.NewFile(uintptr(fds[0]), "monitor"), os.NewFile(uintptr(fds[1]), "monitor")
	cmd := exec.Command("qemu-system-x86_64", "-machine", "none", "-nodefaults", "-display", "none",
		"-chardev", "socket,id=monitor,fd=3", "-mon", "chardev=monitor,mode=control")
	cmd.ExtraFiles = []*os.File{theirs} // 3 is the first
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		ours.Close()
		fmt.Println(err)
		return
	}
	stream, err := net.FileConn(ours)
	ours.Close() // stream has a copy
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := qmp.NewConn(ctx, stream)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := c.Execute(ctx, "quit", nil, nil); err != nil {
		fmt.Println(err)
	}
	fmt.Println(cmd.Wait())
}
