package cmdline_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qapi/device"
	"github.com/goqapi/goqapi/qmp"
)

// The same machine, for two releases. A program asks for the release with
// [cmdline.Version].
func ExampleArgs() {
	machine := []cmdline.Arg{
		cmdline.Machine("q35", map[string]any{"hpet": false}),
		cmdline.Memory(qapi.MemorySizeConfiguration{Size: new(uint64(1 << 30))}),
		cmdline.Netdev(qapi.Netdev{ID: "net0", Type: qapi.NetdevUser{Hostname: new("guest")}}),
		cmdline.Device(device.VirtioNetPCI{ID: "nic0", Netdev: "net0", Addr: device.Slot(5)}),
		cmdline.Text("-nodefaults", "-S"),
	}
	for _, version := range []qmp.Version{{Major: 5, Minor: 2}, {Major: 11, Minor: 1}} {
		args, err := cmdline.Args(version, machine...)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(strings.Join(args, " "))
	}
	// Output:
	// -machine q35,hpet=off -m size=1024M -netdev user,id=net0,hostname=guest -device virtio-net-pci,id=nic0,addr=05.0,netdev=net0 -nodefaults -S
	// -machine q35,hpet=off -m size=1024M -netdev {"id":"net0","type":"user","hostname":"guest"} -device {"driver":"virtio-net-pci","id":"nic0","addr":"05.0","netdev":"net0"} -nodefaults -S
}

// A secret is read from a file, and is never on the command line.
func ExampleObject() {
	version := qmp.Version{Major: 11, Minor: 1}
	_, err := cmdline.Args(version, cmdline.Object(qapi.ObjectOptions{
		ID: "key0", QOMType: qapi.ObjectOptionsSecret{Data: new("geheim")},
	}))
	fmt.Println(err != nil)

	args, err := cmdline.Args(version,
		// The first of ExtraFiles of exec.Cmd is file descriptor 3: a pipe, or a file that was
		// already removed.
		cmdline.Object(qapi.ObjectOptions{ID: "key0", QOMType: qapi.ObjectOptionsSecret{File: new("/dev/fd/3")}}),
		cmdline.Blockdev(qapi.BlockdevOptions{NodeName: new("disk0"), Driver: qapi.BlockdevOptionsLUKS{
			KeySecret: new("key0"),
			File:      qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsFile{Filename: "vm.luks"}},
		}}),
	)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(args[1])
	fmt.Println(args[3])
	// Output:
	// true
	// {"qom-type":"secret","id":"key0","file":"/dev/fd/3"}
	// {"driver":"luks","node-name":"disk0","file":{"driver":"file","filename":"vm.luks"},"key-secret":"key0"}
}
