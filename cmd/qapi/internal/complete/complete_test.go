package complete

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/devices"
	"github.com/goqapi/goqapi/schema/qemu"
)

// names is a Live with the names of a map.
type names map[string][]string

func (n names) Names(_ context.Context, kind Kind, of string) []string {
	if of != "" {
		return n[string(kind)+" "+of]
	}
	return n[string(kind)]
}

func engine(t testing.TB) *Engine {
	const release = "11.1"
	s, err := qemu.Load(release, qemu.QMP)
	require.NoError(t, err)
	list, err := qemu.Devices(release)
	require.NoError(t, err)
	return &Engine{
		Interface: s,
		Devices:   func() []*devices.List { return []*devices.List{list} },
		Live: names{
			"block node":                         {"disk0", "file0"},
			"block node or drive":                {"disk0", "file0", "cd0"},
			"device":                             {"vd0", "net0"},
			"device type":                        {"virtio-blk-pci", "EPYC-x86_64-cpu", "fork-card", "i440FX", "nvme"},
			"property fork-card":                 {"fork-prop"},
			"dirty bitmap disk0":                 {"b0"},
			"iothread":                           {"io0"},
			"object":                             {"tls0"},
			"job":                                {"m0"},
			"QOM path":                           {"/"},
			"QOM path /machine/":                 {"peripheral/", "unattached/"},
			"QOM property /machine":              {"type"},
			"network interface or backend":       {"net0", "hub0"},
			"character device":                   {"compat_monitor0"},
			"audio backend":                      {"snd0"},
			"TPM backend":                        {"tpm0"},
			"network backend":                    {"hub0"},
			"export":                             {"exp0"},
			"object type":                        {"iothread"},
			"QOM path /machine/peripheral/":      {"vd0/"},
			"QOM property /machine/peripheral":   {"vd0"},
			"property of something that is else": nil,
		},
		Files: func(prefix string) []string {
			return slices.DeleteFunc([]string{"/vm/a.qcow2", "/vm/sub/"}, func(p string) bool { return !strings.HasPrefix(p, prefix) })
		},
	}
}

// words returns the words of the candidates for a line; the last word is the one being typed.
func words(t testing.TB, e *Engine, line string) []string {
	all := strings.Split(line, " ")
	last := len(all) - 1
	found := []string{}
	for _, c := range e.Complete(t.Context(), all[:last], all[last]) {
		assert.True(t, strings.HasPrefix(c.Word, all[last]), "%q does not continue %q", c.Word, all[last])
		found = append(found, c.Word)
	}
	return found
}

func TestComplete(t *testing.T) {
	e := engine(t)
	for _, test := range []struct {
		line string
		want string
	}{
		// Commands and arguments.
		{"query-st", "query-stats query-stats-schemas query-status"},
		{"no-such", ""},
		{"no-such ", ""},
		{"query-status ", ""},
		{"screendump ", "filename= device= format= head="},
		{"screendump filename=/vm/a ", "device= format= head="},
		{"screendump f", "filename= format="},
		{"screendump device=vd0 head=0 format=ppm filename=x ", ""},
		{"job-pause id=", "id=m0"},
		{`block_resize {"size":1} `, ""},
		{"block_resize @args ", ""},

		// Members by the tags on the line.
		{"blockdev-add ", "driver= active= auto-read-only= cache. detect-zeroes= discard= force-share= node-name= read-only="},
		{"blockdev-add driver=qcow2 fi", "file. file="},
		{"blockdev-add driver=qcow2 file.driver=nbd file.s", "file.server."},
		{"blockdev-add driver=qcow2 file.driver=nbd file.server.", "file.server.type="},
		{"blockdev-add driver=qcow2 file.driver=nbd file.server.type=", "file.server.type=fd file.server.type=inet file.server.type=unix file.server.type=vsock"},
		{"blockdev-add driver=qcow2 file.driver=nbd file.server.type=unix file.server.", "file.server.path= file.server.abstract= file.server.tight="},
		{"blockdev-add file.driver=nbd file.server.type=inet driver=qcow2 file.server.h", "file.server.host="},
		{"blockdev-add driver=qcow2 file=", "file=disk0 file=file0"},
		{"blockdev-add driver=qcow2 file.driver=file fi", "file."},
		{"blockdev-add driver=qcow2 file=file0 fi", ""},
		{"blockdev-add driver=qcow2 file.driver=qcow2 file.file.driver=file file.file.filen", "file.file.filename="},
		{"blockdev-add driver=qcow2 nosuch.", ""},
		{"blockdev-add driver=qcow2 encrypt.format=luks encrypt.key-secret=", "encrypt.key-secret=tls0"},
		{"blockdev-add node-name=", ""},

		// Values.
		{"blockdev-add driver=qc", "driver=qcow driver=qcow2"},
		{"blockdev-add read-only=", "read-only=false read-only=true"},
		{"blockdev-add detect-zeroes=u", "detect-zeroes=unmap"},
		{"blockdev-add driver=file filename=", "filename=/vm/a.qcow2 filename=/vm/sub/"},
		{"screendump filename=/vm/s", "filename=/vm/sub/"},
		{"set_password password=@/vm/a", "password=@/vm/a.qcow2"},
		{"screendump filename:=", ""},
		{"screendump filename.x=", ""},

		// Lists.
		{"migrate channels.", "channels.0."},
		{"migrate ch", "channels.0."},
		{"migrate channels.0.", "channels.0.addr. channels.0.channel-type="},
		{"migrate channels.0.addr.transport=socket channels.0.addr.t", "channels.0.addr.type="},
		{"migrate channels.0.channel-type=main channels.", "channels.0. channels.1."},
		{"snapshot-save devices", "devices.0="},
		{"snapshot-save devices.0=disk0 devices", "devices.1="},
		{"snapshot-save devices.0=disk0 devices.1=", "devices.1=disk0 devices.1=file0"},
		{"snapshot-save devices.00=", ""},
		{"block-dirty-bitmap-merge node=disk0 target=b0 bitmaps.0", "bitmaps.0. bitmaps.0="},
		{"migrate-set-capabilities capabilities.0.capability=xb", "capabilities.0.capability=xbzrle"},

		// Live names.
		{"device_del id=", "id=net0 id=vd0"},
		{"block-commit device=", "device=cd0 device=disk0 device=file0"},
		{"block-dirty-bitmap-remove node=disk0 name=", "name=b0"},
		{"block-dirty-bitmap-add node=disk0 name=", ""},
		{"blockdev-backup target=", "target=disk0 target=file0"},
		{"drive-backup target=/vm/a", "target=/vm/a.qcow2"},
		{"qom-list path=", "path=/"},
		{"qom-list path=/machine/p", "path=/machine/peripheral/"},
		{"qom-get path=/machine property=", "property=type"},

		// Devices.
		{"device_add driver=", "driver=fork-card driver=nvme driver=virtio-blk-pci driver=EPYC-x86_64-cpu"},
		{"device_add driver=virtio-blk-pci drive=x driv", ""},
		{"device_add driver=virtio-blk-pci dr", "drive="},
		{"device_add driver=virtio-blk dr", "drive="},
		{"device_add driver=virtio-blk-pci drive=", "drive=disk0 drive=file0"},
		{"device_add driver=virtio-blk-pci iothread=", "iothread=io0"},
		{"device_add driver=virtio-blk-pci werror=", "werror=auto werror=enospc werror=ignore werror=report werror=stop"},
		{"device_add driver=virtio-blk-pci share-rw=", "share-rw=false share-rw=true"},
		{"device_add driver=virtio-net-pci netdev=", "netdev=hub0"},
		{"device_add driver=fork-card ", "bus= fork-prop= id="},
		{"device_add driver=fork-card fork-prop=", ""},
		{"object-add qom-type=iothread poll-m", "poll-max-ns="},
		{"object-add qom-type=secret ", "id= data= file= format= iv= keyid="},
	} {
		assert.Empty(t, cmp.Diff(strings.Fields(test.want), words(t, e, test.line), cmpopts.EquateEmpty()), test.line)
	}
}

// All properties of a device type that can be set are completed, from both lists.
func TestDeviceProperties(t *testing.T) {
	e := engine(t)
	got := words(t, e, "device_add driver=virtio-blk-pci id=x ")
	assert.Contains(t, got, "queue-size=")
	assert.Contains(t, got, "addr=")
	assert.NotContains(t, got, "id=")
	assert.Greater(t, len(got), 50)
	assert.True(t, strings.HasPrefix(got[len(got)-1], "x-"), "what is experimental comes last")
}

// Without a server and without files, the candidates come from the schema.
func TestWithoutServer(t *testing.T) {
	e := engine(t)
	e.Live, e.Files = nil, nil
	assert.Empty(t, words(t, e, "device_del id="))
	assert.Empty(t, words(t, e, "screendump filename="))
	assert.Empty(t, words(t, e, "blockdev-add driver=qcow2 file="))
	types := words(t, e, "device_add driver=virtio-blk")
	assert.Contains(t, types, "driver=virtio-blk-pci")
	e.Devices = nil
	assert.Empty(t, words(t, e, "device_add driver="))
	assert.NotEmpty(t, words(t, e, "device_add "))
}

func TestEvents(t *testing.T) {
	found := engine(t).EventNames("SHUT")
	require.Len(t, found, 1)
	assert.Equal(t, Candidate{Word: "SHUTDOWN", Show: "SHUTDOWN"}, found[0])
}

func TestDefinitions(t *testing.T) {
	e := engine(t)
	var got []string
	for _, c := range e.DefinitionNames(e.Interface.(*schema.Schema), "Block") {
		got = append(got, c.Word+" "+c.Help)
	}
	assert.Contains(t, got, "BlockdevOptions union")
	assert.Contains(t, e.DefinitionNames(e.Interface.(*schema.Schema), "virtio-blk-pci"), Candidate{Word: "virtio-blk-pci", Show: "virtio-blk-pci", Help: "device"})
}

// Help says what a value is.
func TestHelp(t *testing.T) {
	e := engine(t)
	help := map[string]string{}
	for _, c := range e.Complete(t.Context(), []string{"screendump"}, "") {
		help[c.Show] = c.Help
		assert.True(t, c.Open)
	}
	assert.Equal(t, map[string]string{
		"filename=": "required, text", "device=": "text", "format=": "one of 2", "head=": "number",
	}, help)
}

// A file system that does not answer does not delay a user who types.
func TestFilesThatHang(t *testing.T) {
	e := engine(t)
	block := make(chan struct{})
	defer close(block)
	e.Files = func(string) []string { <-block; return nil }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.Empty(t, e.Complete(ctx, []string{"screendump"}, "filename=/"))
}

// Each row of the table is about an argument of some release.
func TestRowsAreUsed(t *testing.T) {
	used := map[row]bool{}
	for _, release := range qemu.Releases() {
		s, err := qemu.Load(release, qemu.QMP)
		require.NoError(t, err)
		for _, c := range s.Commands() {
			seen := map[schema.Type]bool{}
			var look func(t schema.Type)
			look = func(t schema.Type) {
				if t == nil || seen[t] {
					return
				}
				seen[t] = true
				switch t := t.(type) {
				case *schema.Array:
					look(t.Elem)
				case *schema.Alternate:
					for _, b := range t.Branches {
						look(b.Type)
					}
				case *schema.Struct:
					for _, m := range t.AllMembers() {
						look(m.Type)
						for _, r := range rows {
							if matches(r.member, m.Name) && matches(r.commands, c.Name) {
								used[r] = true
								break
							}
						}
					}
				case *schema.Union:
					look(t.Base)
					for _, b := range t.Branches {
						look(b.Type)
					}
				}
			}
			look(c.Args)
		}
	}
	for _, r := range rows {
		assert.True(t, used[r], "no command has %v", r)
	}
}
