package arguments

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/qemu"
)

// words splits a line at spaces; the first word is the command.
func words(line string) (command string, args []string) {
	all := strings.Split(line, " ")
	return all[0], all[1:]
}

// files are the files that words can name.
var files = map[string]string{"pw": "geheim\n", "object": `{"id": "x"}`, "crlf": "a\r\n", "text": "no JSON"}

func readFile(path string) ([]byte, error) {
	text, ok := files[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

func load(t testing.TB) (*schema.Schema, *devices.List) {
	t.Helper()
	const release = "11.1"
	s, err := qemu.Load(release, qemu.QMP)
	require.NoError(t, err)
	list, err := qemu.Devices(release)
	require.NoError(t, err)
	return s, list
}

func parse(s *schema.Schema, list *devices.List, line string, from Sources) (string, error) {
	command, args := words(line)
	c, _ := s.Lookup(command).(*schema.Command)
	from.ReadFile = readFile
	out, err := Parse(command, c, list, args, from)
	return string(out), err
}

func TestParse(t *testing.T) {
	s, list := load(t)
	for line, want := range map[string]string{
		"query-status":                           `{}`,
		"query-status {}":                        `{}`,
		"eject id=123 force=on":                  `{"id":"123","force":true}`,
		"balloon value=10M":                      `{"value":10485760}`,
		"balloon value=0x10":                     `{"value":16}`,
		"balloon value=9223372036854775807":      `{"value":9223372036854775807}`,
		"qom-set path=/m property=p value:=7":    `{"path":"/m","property":"p","value":7}`,
		"qom-set path=/m property=p value=hello": `{"path":"/m","property":"p","value":"hello"}`,
		"qom-set path=/m property=p value=@text": `{"path":"/m","property":"p","value":"no JSON"}`,
		// Members of members, unions within unions, alternates.
		"blockdev-add driver=qcow2 node-name=123 file.driver=file file.filename=/vm/d.qcow2":                        `{"driver":"qcow2","node-name":"123","file":{"driver":"file","filename":"/vm/d.qcow2"}}`,
		"blockdev-add driver=qcow2 file=file0 backing:=null":                                                        `{"driver":"qcow2","file":"file0","backing":null}`,
		"blockdev-add driver=qcow2 file=f overlap-check=none":                                                       `{"driver":"qcow2","file":"f","overlap-check":"none"}`,
		"blockdev-add driver=qcow2 file=f overlap-check.main-header=on":                                             `{"driver":"qcow2","file":"f","overlap-check":{"main-header":true}}`,
		"blockdev-add file.server.port=10809 driver=raw file.driver=nbd file.server.type=inet file.server.host=::1": `{"file":{"server":{"port":"10809","type":"inet","host":"::1"},"driver":"nbd"},"driver":"raw"}`,
		// Lists.
		"blockdev-add driver=quorum vote-threshold=1 children.0=a children.1.driver=null-co": `{"driver":"quorum","vote-threshold":1,"children":["a",{"driver":"null-co"}]}`,
		`blockdev-add driver=quorum vote-threshold=1 children=["a"]`:                         `{"driver":"quorum","vote-threshold":1,"children":["a"]}`,
		"migrate-set-capabilities capabilities.0.capability=xbzrle capabilities.0.state=off": `{"capabilities":[{"capability":"xbzrle","state":false}]}`,
		"send-key keys.0.type=qcode keys.0.data=ctrl":                                        `{"keys":[{"type":"qcode","data":"ctrl"}]}`,
		// Devices have properties that the schema does not list.
		"device_add driver=virtio-blk-pci id=7 bootindex=1 drive=1 addr=5 share-rw=on write-cache=off logical_block_size=4K": `{"driver":"virtio-blk-pci","id":"7","bootindex":1,"drive":"1","addr":"5","share-rw":true,"write-cache":"off","logical_block_size":4096}`,
		"device_add driver=made-up bootindex=1 x:=1": `{"driver":"made-up","bootindex":"1","x":1}`,
		// What the schema does not know is sent as it is.
		"vendor-do a=1 b:=2 c.d=e l.0=x": `{"a":"1","b":2,"c":{"d":"e"},"l":["x"]}`,
		"eject id=a vendor:=[1]":         `{"id":"a","vendor":[1]}`,
		// Sources.
		"set_password protocol=vnc password=@pw":        `{"protocol":"vnc","password":"geheim"}`,
		"set_password protocol=vnc password=-":          `{"protocol":"vnc","password":"typed"}`,
		"eject id=@crlf":                                `{"id":"a"}`,
		"eject @object":                                 `{"id": "x"}`,
		`eject {"id":"x"}`:                              `{"id":"x"}`,
		"object-add qom-type=secret id=s data=@pw":      `{"qom-type":"secret","id":"s","data":"geheim"}`,
		"object-add qom-type=secret id=s file=/etc/key": `{"qom-type":"secret","id":"s","file":"/etc/key"}`,
		// These look like secrets and are not.
		"migrate uri=exec:cat":                         `{"uri":"exec:cat"}`,
		"human-monitor-command command-line=info":      `{"command-line":"info"}`,
		"blockdev-add driver=https url=https://host/x": `{"driver":"https","url":"https://host/x"}`,
		"object-add qom-type=iothread id=s":            `{"qom-type":"iothread","id":"s"}`,
		"ringbuf-write device=d data=x":                `{"device":"d","data":"x"}`,
	} {
		got, err := parse(s, list, line, Sources{Stdin: strings.NewReader("typed\n")})
		assert.NoError(t, err, line)
		assert.Equal(t, want, got, line)
	}
}

func TestMistakes(t *testing.T) {
	s, list := load(t)
	for line, want := range map[string]string{
		"blockdev-add driver=flie":                         "driver=flie: did you mean file?",
		"blockdev-add driver=zzzzzzzz":                     "driver=zzzzzzzz: there is no such value; there are 46, such as blkdebug, blklogwrites, blkreplay",
		"blockdev-add":                                     "blockdev-add: driver is missing; it is one of blkdebug, blklogwrites, blkreplay, blkverify, bochs, cloop, compress, copy-before-write, copy-on-read, dmg, file, snapshot-access …",
		"blockdev-add driver=qcow2 file.driver=file":       "file: file.filename is missing; its type is str",
		"blockdev-add driver=qcow2 file.filename=x":        "file: file.driver is missing; it is one of blkdebug, blklogwrites, blkreplay, blkverify, bochs, cloop, compress, copy-before-write, copy-on-read, dmg, file, snapshot-access …",
		"blockdev-add driver=qcow2":                        "blockdev-add: file is missing; its type is BlockdevRef",
		"blockdev-add driver=qcow2 file=a fiel=b":          "blockdev-add does not have fiel: did you mean file?",
		"eject id=a frce=on":                               "eject does not have frce: did you mean force?",
		"eject id=a something=on":                          "eject does not have something: it has device, id, force",
		"eject force=maybe":                                "force=maybe: it must be on or off",
		"eject id.x=1":                                     "id is of the type str, and has no member x",
		"balloon value=lots":                               "value=lots is not an integer, such as 4096, 0x1000 or 4K",
		"balloon value=1.5G":                               "value=1.5G is not an integer, such as 4096, 0x1000 or 4K",
		"balloon value=":                                   "value= is not an integer, such as 4096, 0x1000 or 4K",
		"balloon value=9223372036854775808":                "value=9223372036854775808: it must be from -9223372036854775808 to 9223372036854775807",
		"balloon value=8E":                                 "value=8E: it must be from -9223372036854775808 to 9223372036854775807",
		"query-status a=b":                                 "query-status has no arguments",
		"qom-set path=/m property=p value=7":               `value can be of any type: write value:=7, or for text value:='"7"'`,
		"eject id":                                         "id is not an argument, such as name=value",
		"eject =x":                                         "=x is not an argument, such as name=value",
		"eject id=a id=b":                                  "id is given twice",
		"eject id=a id.b=c":                                "id.b is given twice",
		"eject id..a=c":                                    "id..a: a name is empty",
		"eject id:=x":                                      `id: what follows := is not JSON; text needs quotes: id:='"…"', or id=…`,
		"eject {} id=a":                                    "{… is the whole object: there cannot be other arguments",
		"eject @text":                                      "@text is not a JSON object",
		"eject {1}":                                        "{… is not a JSON object",
		`set_password {"password":"hunter2"`:               "{… is not a JSON object",
		`{"execute":"stop"} x=1`:                           "the command is JSON: give its name, and then its arguments, such as name=value",
		"stop; x=1":                                        `"stop;" is not the name of a command, such as query-status`,
		"eject id=@none":                                   "id: open none: file does not exist",
		"eject id=- device=-":                              "device: standard input can be used only once",
		"migrate-set-capabilities capabilities=x":          "capabilities is a list: give its elements, such as capabilities.0=…, or JSON, as in capabilities:=[…]",
		"migrate-set-capabilities capabilities.1.state=on": "capabilities is a list: its elements must be capabilities.0, capabilities.1 and so on, without a gap; capabilities.0 is missing",
		"blockdev-add driver=qcow2 file=f encrypt=x":       "encrypt is an object: give its members, such as encrypt.format=…",
		"nbd-server-start addr.data.path=/x":               "addr: addr.type is missing; it is inet, unix, vsock or fd",
		"device_add driver=virtio-blk-pci bootindx=1":      "the device virtio-blk-pci does not have bootindx: did you mean bootindex?",
		"device_add driver=virtio-blk-pci bootindex=first": "bootindex=first is not an integer, such as 4096, 0x1000 or 4K",
		"device_add id=x":                                  "device_add: driver is missing; its type is str",
	} {
		_, err := parse(s, list, line, Sources{Stdin: strings.NewReader("")})
		if assert.Error(t, err, line) {
			assert.Equal(t, want, err.Error(), line)
		}
	}
}

func TestSecrets(t *testing.T) {
	s, list := load(t)
	for line, name := range map[string]string{
		"set_password protocol=vnc password=x":                    "password",
		`set_password password:="x"`:                              "password",
		`set_password {"protocol":"vnc","password":"x"}`:          "password",
		"change-vnc-password password=x":                          "password",
		"object-add qom-type=secret id=s data=x":                  "data",
		`object-add {"qom-type":"secret","data":"x"}`:             "data",
		"qom-set path=/objects/s property=data value=x":           "value",
		"blockdev-add driver=raw file.driver=https file.cookie=x": "file.cookie",
		"blockdev-add driver=https url=https://me:pw@host/x":      "url",
		"transaction actions.0.data.password=x":                   "actions.0.data.password",
		`vendor-do a:=[{"b":{"password":"x"}}]`:                   "a.0.b.password",
	} {
		_, err := parse(s, list, line, Sources{})
		secret, ok := errors.AsType[*SecretError](err)
		if assert.True(t, ok, "%s: %v", line, err) {
			assert.Equal(t, name, secret.Name, line)
			assert.Equal(t, name+" is a secret, and other users can see arguments: use "+name+"=@FILE or "+name+"=-", err.Error())
		}
		_, err = parse(s, list, line, Sources{AllowSecrets: true})
		assert.NotErrorAs(t, err, &secret, line)
	}
}

// Any words are read without a panic, and only valid JSON is made of them.
func FuzzParse(f *testing.F) {
	s, list := load(f)
	for _, line := range []string{"blockdev-add driver=qcow2 file.driver=file file.0=1", "eject {}", "device_add driver=e1000 a.b=c", "x a:=1", "qom-set value=-"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		out, err := parse(s, list, line, Sources{Stdin: strings.NewReader("x")})
		if err == nil {
			assert.True(t, len(out) > 0 && strings.TrimSpace(out)[0] == '{', out)
		}
	})
}

func TestStdinOnce(t *testing.T) {
	from := Sources{Stdin: io.LimitReader(strings.NewReader("{}"), 2)}
	w, err := Read("eject", []string{"-"}, from)
	require.NoError(t, err)
	out, err := w.Encode(nil, nil)
	require.NoError(t, err)
	assert.Equal(t, "{}", string(out))
}

func BenchmarkParse(b *testing.B) {
	s, list := load(b)
	for b.Loop() {
		if _, err := parse(s, list, "blockdev-add driver=qcow2 node-name=123 file.driver=file file.filename=/vm/d.qcow2", Sources{}); err != nil {
			b.Fatal(err)
		}
	}
}
