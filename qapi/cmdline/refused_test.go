package cmdline_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qapi"
	"github.com/goqapi/goqapi/qapi/cmdline"
	"github.com/goqapi/goqapi/qmp"
)

// A refusal is an argument that a release cannot have, and why.
type refusal struct {
	name string
	v    qmp.Version
	arg  cmdline.Arg
	want string
}

func testRefused(t *testing.T, refusals []refusal) {
	t.Helper()
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			got, err := cmdline.Args(tt.v, cmdline.Text("-S"), tt.arg)
			require.ErrorContains(t, err, "cmdline: argument 2, "+tt.want)
			assert.Empty(t, got)
		})
	}
}

func e1000(props map[string]any) cmdline.Arg {
	return cmdline.Device(qapi.DeviceAddArgs{Driver: "e1000", Props: props})
}

func socket(addr qapi.SocketAddressLegacyVariant) cmdline.Arg {
	return cmdline.Chardev("c0", qapi.ChardevBackend{Type: qapi.ChardevBackendSocket{Addr: qapi.SocketAddressLegacy{Type: addr}}})
}

func TestWhatAReleaseCannotTake(t *testing.T) {
	rules := cmdline.Object(qapi.ObjectOptions{ID: "a0", QOMType: qapi.ObjectOptionsAuthzList{
		Rules: []qapi.QAuthZListRule{{Match: "fred", Policy: qapi.QAuthZListPolicyAllow}},
	}})
	var apart qapi.ObjectOptions // as QEMU 5.2 takes it over QMP
	require.NoError(t, apart.UnmarshalJSON([]byte(`{"qom-type":"rng-builtin","id":"a","props":{}}`)))
	nested := cmdline.Machine("q35", map[string]any{"smp": map[string]any{"cpus": 2}})
	testRefused(t, []refusal{
		{"a list for a device", v52, e1000(map[string]any{"ports": []string{"n0"}}), "-device: QEMU 5.2 takes key=value for this option, not JSON: 'ports' is a list"},
		{"an object for a device", v52, e1000(map[string]any{"x": map[string]any{}}), "-device: QEMU 5.2 takes key=value for this option, not JSON: 'x' is an object"},
		{"a list of objects", v52, rules, "-object: QEMU 5.2 takes key=value for this option, not JSON: 'rules' is a list of objects"},
		{"properties apart", v52, cmdline.Object(apart), "-object: QEMU 5.2 takes key=value for this option, not JSON: 'props' is an object"},
		{"objects of a machine", v52, nested, "-machine: QEMU 5.2 takes key=value for this option, not JSON: 'smp' is an object"},
		{"an empty list of a machine", v72, cmdline.Machine("q35", map[string]any{"x": []int{}}), "-machine: QEMU 7.2 takes key=value for this option, not JSON: 'x' is an empty list"},
		{"null", v72, cmdline.Machine("q35", map[string]any{"x": nil}), "-machine: QEMU 7.2 takes key=value for this option, not JSON: 'x' is null"},
		{"compat", v52, cmdline.Compat(qapi.CompatPolicy{}), "-compat: QEMU 5.2 does not have it"},
		{"the path of a pty", v72, cmdline.Chardev("c0", qapi.ChardevBackend{Type: qapi.ChardevBackendPty{Path: new("/p")}}), "-chardev: QEMU 7.2 ignores 'path' of a pty"},
		{"vsock", v111, socket(qapi.SocketAddressLegacyVsock{Cid: "3", Port: "1"}), "-chardev: 'addr.cid' cannot be set in this option; use the QMP command chardev-add"},
		{"keep-alive", v111, socket(qapi.SocketAddressLegacyInet{Host: "h", Port: "1", KeepAlive: new(true)}), "-chardev: 'addr.keep-alive' cannot be set in this option"},
		{"udp over unix", v111, cmdline.Chardev("c0", qapi.ChardevBackend{Type: qapi.ChardevBackendUDP{
			Remote: qapi.SocketAddressLegacy{Type: qapi.SocketAddressLegacyUnix{Path: "/u"}},
		}}), "-chardev: 'remote.path' cannot be set in this option"},
	})
}

func TestHostileArguments(t *testing.T) {
	var noDevice *qapi.DeviceAddArgs
	testRefused(t, []refusal{
		{"no device", v72, cmdline.Device(nil), "-device: qapi: device: the device is nil"},
		{"nil device", v72, cmdline.Device(noDevice), "-device: qapi: device: the device is a nil *qapi.DeviceAddArgs"},
		{"realized", v52, e1000(map[string]any{"realized": true}), "-device: qapi: device: DeviceAddArgs.Props has 'realized'"},
		{"a property that is a pair", v52, e1000(map[string]any{"a=b": 1}), `-device: "a=b" cannot be the name of a property`},
		{"a property that is two", v52, e1000(map[string]any{"a,b": 1}), `-device: "a,b" cannot be the name of a property`},
		{"a property without a name", v52, e1000(map[string]any{"": 1}), `-device: "" cannot be the name of a property`},
		{"a driver that is a pair", v52, cmdline.Device(qapi.DeviceAddArgs{Driver: "a=b"}), `-device: driver: "a=b" is not a name`},
		{"a driver that is two", v52, cmdline.Device(qapi.DeviceAddArgs{Driver: "e1000,id=x"}), `-device: driver: "e1000,id=x" is not a name`},
		{"help", v52, cmdline.Device(qapi.DeviceAddArgs{Driver: "help"}), `-device: driver: "help" is not a name`},
		{"a CPU that asks for help", v72, cmdline.CPU("?", nil), `-cpu: model: "?" is not a name`},
		{"NUL", v72, e1000(map[string]any{"x": []string{"a\x00"}}), "-device: 'x.0': it contains a NUL"},
		{"NUL in a name", v72, e1000(map[string]any{"x\x00": 1}), `-device: 'x\x00': it contains a NUL`},
		{"NUL in a node", v72, cmdline.Blockdev(qapi.BlockdevOptions{NodeName: new("a\x00"), Driver: qapi.BlockdevOptionsNullCo{}}), "-blockdev: 'node-name': it contains a NUL"},
		{"NUL in a text", v72, cmdline.Text("-S", "-name", "a\x00"), `text: after "-name": it contains a NUL`},
		{"single quotes", v72, cmdline.Text("-object", "{'qom-type':'secret','data':'x'}"), `text: after "-object": it begins like JSON but is not JSON`},
		{"NUL in an address", v72, cmdline.QMP("unix:/a\x00"), "-qmp: it contains a NUL"},
		{"NUL in a CPU", v72, cmdline.CPU("a\x00", nil), `-cpu: model: "a\x00" is not a name`},
		{"invalid UTF-8", v52, e1000(map[string]any{"x": "\xff"}), "-device: "},
		{"no driver", v72, cmdline.Blockdev(qapi.BlockdevOptions{}), "-blockdev: "},
		{"no backend", v72, cmdline.Chardev("c0", qapi.ChardevBackend{}), "-chardev: "},
		{"no id", v72, cmdline.Chardev("", qapi.ChardevBackend{Type: qapi.ChardevBackendNull{}}), `-chardev: "" cannot be an id`},
		{"NUL in an id", v72, cmdline.Chardev("c\x00", qapi.ChardevBackend{Type: qapi.ChardevBackendNull{}}), `-chardev: "c\x00" cannot be an id`},
		{"a machine that is a pair", v72, cmdline.Machine("q35,x=y", nil), `-machine: type: "q35,x=y" is not a name`},
		{"no machine", v72, cmdline.Machine("", nil), `-machine: type: "" is not a name`},
		{"an accelerator that is a pair", v72, cmdline.Accel("kvm,x=y", nil), `-accel: accel: "kvm,x=y" is not a name`},
		{"a CPU that is a pair", v72, cmdline.CPU("host,x=y", nil), `-cpu: model: "host,x=y" is not a name`},
		{"a comma in a feature", v72, cmdline.CPU("host", map[string]any{"model-id": "a,b"}), "-cpu: 'model-id' has a comma"},
		{"a feature that is two", v72, cmdline.CPU("host", map[string]any{"a,b": true}), `-cpu: "a,b" cannot be the name of a property`},
		{"a list of a CPU", v72, cmdline.CPU("host", map[string]any{"x": []int{1}}), "-cpu: QEMU 7.2 takes key=value for this option, not JSON: 'x' is a list"},
		{"what is not JSON", v72, cmdline.Machine("q35", map[string]any{"x": func() {}}), "-machine: "},
		{"no processors", v72, cmdline.SMP(qapi.SMPConfiguration{}), "-smp: nothing is set"},
		{"no memory", v72, cmdline.Memory(qapi.MemorySizeConfiguration{}), "-m: nothing is set"},
	})
}

func TestSecrets(t *testing.T) {
	const secret = "geheim"
	object := func(o qapi.ObjectOptionsVariant) cmdline.Arg {
		return cmdline.Object(qapi.ObjectOptions{ID: "s0", QOMType: o})
	}
	file := func(d qapi.BlockdevOptionsVariant) cmdline.Arg {
		return cmdline.Blockdev(qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsRaw{File: qapi.BlockdevOptions{Driver: d}}})
	}
	var apart qapi.ObjectOptions // as QEMU 5.2 takes it over QMP
	require.NoError(t, apart.UnmarshalJSON([]byte(`{"qom-type":"secret","id":"s0","props":{"data":"`+secret+`"}}`)))
	for _, tt := range []struct {
		name, path string
		arg        cmdline.Arg
	}{
		{"data of a secret", "data", object(qapi.ObjectOptionsSecret{Data: new(secret)})},
		{"in properties apart", "props.data", cmdline.Object(apart)},
		{"user and password in a URL", "file.url", file(qapi.BlockdevOptionsHTTPS{URL: "https://u:" + secret + "@h/x"})},
		{"signature in a URL", "file.url", file(qapi.BlockdevOptionsHTTPS{URL: "https://h/x?sig=" + secret})},
		{"cookie", "file.cookie", file(qapi.BlockdevOptionsHTTPS{URL: "https://h/x", Cookie: new(secret)})},
		{"in a file name", "file.filename", file(qapi.BlockdevOptionsFile{Filename: `json:{"driver":"https","cookie":"` + secret + `"}`})},
		{"cookie of a tunnel", "txcookie", cmdline.Netdev(qapi.Netdev{ID: "n", Type: qapi.NetdevL2tpv3{Txcookie: new(uint64(77777777))}})},
		{"a device's password", "password", e1000(map[string]any{"password": secret})},
		{"a machine's password", "password", cmdline.Machine("q35", map[string]any{"password": secret})},
		{"a list in a machine", "x.0.password", cmdline.Machine("q35", map[string]any{"x": []any{map[string]any{"password": secret}}})},
		{"text: -object", "data", cmdline.Text("-object", "secret,id=s0,data="+secret)},
		{"text: --object", "data", cmdline.Text("--object", "qom-type=secret,id=s0,data="+secret)},
		{"text: -object as JSON", "data", cmdline.Text("-object", `{"qom-type":"secret","id":"s0","data":"`+secret+`"}`)},
		{"text: -spice", "password", cmdline.Text("-spice", "port=5900,password="+secret)},
		{"text: -drive", "file", cmdline.Text("-drive", "if=none,file=https://u:"+secret+"@h/x")},
		{"text: -drive with a cookie", "file.cookie", cmdline.Text("-drive", "driver=https,file.cookie="+secret)},
		{"text: a URL", "", cmdline.Text("https://u:" + secret + "@h/x")},
		{"text: a URL with a query", "", cmdline.Text("https://h/x?sig=" + secret)},
		{"text: an option in one word", "data", cmdline.Text("--object=secret,id=s0,data=" + secret)},
		{"text: the first of two values", "value", cmdline.Text("-smbios", "type=11,value=s=https://u:"+secret+"@h/,value=x")},
		{"text: an image's name in JSON", "filename", cmdline.Text("-hda", `json:{"driver":"https","url":"https://h/x","cookie":"`+secret+`"}`)},
		{"address", "", cmdline.QMP("https://u:" + secret + "@h/x")},
		{"text: doubled commas", "password", cmdline.Text("-vnc", ":0,password=a,,"+secret)},
		{"text: invalid UTF-8", "password", cmdline.Text("-vnc", ":0,password=\xff"+secret)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, v := range []qmp.Version{v52, v111} {
				_, err := cmdline.Args(v, tt.arg)
				if tt.path == "" {
					require.ErrorContains(t, err, "the text is or contains a secret")
				} else {
					require.ErrorContains(t, err, "'"+tt.path+"' is or contains a secret")
				}
				require.ErrorContains(t, err, "let a secret object read it from a file")
				assert.NotContains(t, err.Error(), secret)
				assert.NotContains(t, err.Error(), "77777777")
			}
		})
	}
}

// TestSecretAfterOption checks that a secret is found in a Text whose option is in the Text before
// it.
func TestSecretAfterOption(t *testing.T) {
	_, err := cmdline.Args(v72, cmdline.Text("-object"), cmdline.Text("secret,id=s0,data=geheim"))
	require.ErrorContains(t, err, "'data' is or contains a secret")
}

// JSON may end with a newline.
func TestTextWithNewline(t *testing.T) {
	_, err := cmdline.Args(v72, cmdline.Text("-object", "{\"qom-type\":\"iothread\",\"id\":\"io0\"}\n"))
	require.NoError(t, err)
}

// What looks like a secret but is not one is accepted.
func TestNoSecrets(t *testing.T) {
	for _, arg := range []cmdline.Arg{
		cmdline.Text("-vnc", ":0,password=on"),
		cmdline.Text("-vnc", ":0,password"),
		cmdline.Text("-vnc", ":0,password-secret=s0"),
		cmdline.Text("-object", "secret,id=s0,file=/x"),
		cmdline.Text("-object", "secret,id=s0,keyid=m,iv=x,data=AAAA"),
		cmdline.Text("-device", "loader,addr=0,data=255,data-len=1"),
		cmdline.Text("-smbios", "type=1,manufacturer=x,serial=y"),
		cmdline.Text("-fw_cfg", "name=opt/x,string=y"),
		cmdline.Text("-append", "console=ttyS0 root=/dev/vda"),
		cmdline.Text(""),
		e1000(map[string]any{"password": false}),
		cmdline.Blockdev(qapi.BlockdevOptions{Driver: qapi.BlockdevOptionsHTTPS{URL: "https://h/x", PasswordSecret: new("s0"), CookieSecret: new("s1")}}),
	} {
		_, err := cmdline.Args(v72, arg)
		assert.NoError(t, err)
	}
}
