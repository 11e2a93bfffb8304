package target

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
)

func TestReadCommandLine(t *testing.T) {
	vm := socket{path: "/vm.sock"}
	for text, want := range map[string]commandLine{
		"qemu-system-x86_64 -name web01 -qmp unix:/vm.sock,server=on,wait=off":                                                                           {name: "web01", monitors: []socket{vm}},
		"/usr/bin/qemu-system-x86_64 -name guest=web01,debug-threads=on -qmp-pretty unix:/vm.sock,server,nowait":                                         {name: "web01", monitors: []socket{vm}},
		"/lib64/ld-linux-x86-64.so.2 --library-path /lib /x/qemu-system-x86_64 --qmp unix:path=/vm.sock,server=on,wait=off":                              {monitors: []socket{vm}},
		"/nix/.qemu-system-x86_64-wrapped -qmp unix:/vm.sock,server=on,wait=off":                                                                         {monitors: []socket{vm}},
		"qemu-system-x86_64 -qmp tcp:localhost:4444,server=on":                                                                                           {monitors: []socket{{host: "localhost", port: "4444", waits: true}}},
		"qemu-system-x86_64 -qmp tcp:[::1]:4444,server=on,wait=off":                                                                                      {monitors: []socket{{host: "::1", port: "4444"}}},
		"qemu-system-x86_64 -qmp unix:/a,,b=c,server=on,wait=off":                                                                                        {monitors: []socket{{path: "/a,b=c"}}},
		"qemu-system-x86_64 -chardev socket,id=m,path=/vm.sock,server=on,wait=off -mon chardev=m,mode=control":                                           {monitors: []socket{vm}},
		"qemu-system-x86_64 -mon m,mode=control -chardev socket,path=name,abstract=on,id=m,server=on,wait=off":                                           {monitors: []socket{{path: "\x00name"}}},
		"qemu-system-x86_64 -chardev socket,id=m,fd=7,server=on,wait=off -qmp chardev:m":                                                                 {monitors: []socket{{fd: "7"}}},
		"qemu-storage-daemon --chardev socket,id=m,path=/vm.sock,server=on,wait=off --monitor=chardev=m":                                                 {monitors: []socket{vm}},
		"qemu-system-x86_64 -chardev socket,id=g,path=/ga,server=on,wait=off -device virtserialport,chardev=g,name=" + agentPort:                         {agents: []socket{{path: "/ga"}}},
		`qemu-kvm -chardev socket,id=g,path=/ga,server=on,wait=off -device {"driver":"virtserialport","bus":1,"chardev":"g","name":"` + agentPort + `"}`: {agents: []socket{{path: "/ga"}}},
		"qemu-kvm -name guest=a -chardev socket,id=charmonitor,fd=22,server=on,wait=off -mon chardev=charmonitor,id=monitor,mode=control":                {name: "a", monitors: []socket{{fd: "22"}}, libvirt: true},
		// These cannot be dialled.
		"qemu-system-x86_64 -qmp unix:/vm.sock -monitor unix:/hmp,server=on,wait=off -qmp stdio -qmp tcp::1,server=on,wait=off,telnet=on": {},
		"qemu-system-x86_64 -chardev socket,id=m,path=/vm.sock,server=on,wait=off -mon m,mode=readline -mon nope,mode=control":            {},
		"qemu-system-x86_64 -name": {},
	} {
		args := strings.Split(text, " ")
		got, ok := readCommandLine(args)
		assert.True(t, ok, text)
		assert.Contains(t, text, got.program)
		got.program = ""
		assert.Empty(t, cmp.Diff(want, got, cmp.AllowUnexported(commandLine{}, socket{})), text)
	}
	for _, other := range []string{"", "vim qemu-system-x86_64", "/bin/sh -c qemu-system-x86_64", "qemu-img info x", "ld-linux.so /bin/true"} {
		_, ok := readCommandLine(strings.Split(other, " "))
		assert.False(t, ok, other)
	}
}
