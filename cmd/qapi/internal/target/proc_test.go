package target

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeProc is a folder that looks like /proc.
type fakeProc struct {
	t   *testing.T
	dir string
}

func (p fakeProc) write(path, text string) {
	path = filepath.Join(p.dir, path)
	require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(p.t, os.WriteFile(path, []byte(text), 0o644))
}

// add adds a process. Its links are the targets of its symbolic links, by path.
func (p fakeProc) add(pid int, command, unix, tcp string, links map[string]string) {
	dir := fmt.Sprint(pid)
	p.write(dir+"/cmdline", strings.ReplaceAll(command, " ", "\x00")+"\x00")
	p.write(dir+"/net/unix", "Num RefCount Protocol Flags Type St Inode Path\n"+unix)
	p.write(dir+"/net/tcp", "  sl  local_address rem_address   st\n"+tcp)
	for path, to := range links {
		path = filepath.Join(p.dir, dir, path)
		require.NoError(p.t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(p.t, os.Symlink(to, path))
	}
}

func TestProc(t *testing.T) {
	p := fakeProc{t, t.TempDir()}
	p.write("version", "Linux")
	p.write("1/cmdline", "/sbin/init\x00")
	p.write("2/cmdline", "")

	unix := func(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
	const listens, connected = "0: 00000002 00000000 00010000 0001 01 %s %s", "0: 00000003 00000000 00000000 0001 03 %s %s"
	line := func(format, inode, path string) string { return fmt.Sprintf(format, inode, path) }

	p.add(900, "qemu-system-x86_64 -name web01 -qmp unix:/run/web 01.sock,server=on,wait=off",
		unix(line(listens, " 11", "/run/web01.sock")), "", map[string]string{"fd/5": "socket:[11]", "root": "/", "ns/net": "net:[1]"})
	p.add(77, "qemu-system-x86_64 -name web02 -qmp unix:/run/web02.sock,server=on,wait=off",
		unix(line(listens, " 21", "/run/web02.sock"), line(connected, " 22", "/run/web02.sock"), line(connected, " 0", "/run/web02.sock")),
		"", map[string]string{"fd/5": "socket:[21]", "fd/6": "socket:[22]", "fd/7": "/dev/null", "ns/net": "net:[2]"})
	// Of two monitors, the free one.
	p.add(78, "qemu-system-x86_64 -qmp unix:/run/a,server=on,wait=off -qmp unix:/run/b,server=on,wait=off -qmp unix:/run/c,server=on,wait=off",
		unix(line(connected, " 1", "/run/a"), line(connected, " 2", "/run/c")), "", map[string]string{"fd/1": "socket:[1]", "fd/2": "socket:[2]"})
	p.add(80, "qemu-system-x86_64 -name tcp -qmp tcp:0.0.0.0:4444,server=on,wait=off", "",
		"   0: 00000000:115C 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31 1 0000000000000000 100 0 0 10 0\n"+
			"   1: 0100007F:115C 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 32 1 0000000000000000 20 4 30 10 -1\n",
		map[string]string{"fd/1": "socket:[31]", "fd/2": "socket:[32]"})
	// Paths are those in the process's own file system, and sockets may be inherited.
	p.add(81, "qemu-system-x86_64 -name cwd -qmp unix:m.sock,server=on,wait=off", "", "", map[string]string{"cwd": "/srv", "root": "/"})
	p.add(82, "qemu-system-x86_64 -name boxed -qmp unix:/m.sock,server=on,wait=off", "", "", map[string]string{"root": "/srv/box"})
	p.add(83, "qemu-system-x86_64 -name fd -chardev socket,id=m,fd=7,server=on,wait=off -qmp chardev:m",
		unix(line(listens, " 41", "@name of it")), "", map[string]string{"fd/7": "socket:[41]"})
	p.add(84, "qemu-kvm -name guest=lab -chardev socket,id=charmonitor,path=/var/m,server=on,wait=off -mon chardev=charmonitor,mode=control"+
		" -chardev socket,id=g,path=/ga,,1,server=on,wait=off -device virtserialport,chardev=g,name="+agentPort,
		unix(line(connected, " 51", "/var/m")), "", nil) // of another user: no descriptors
	p.add(85, "qemu-system-x86_64 -monitor stdio", "", "", nil)

	got, err := Proc{p.dir}.Find(t.Context())
	require.NoError(t, err)
	const x86 = "qemu-system-x86_64"
	want := []Machine{
		{PID: 77, Name: "web02", Program: x86, Address: "unix:/run/web02.sock", Clients: 1},
		{PID: 78, Program: x86, Address: "unix:/run/b"},
		{PID: 80, Name: "tcp", Program: x86, Address: "tcp:localhost:4444", Clients: 1},
		{PID: 81, Name: "cwd", Program: x86, Address: "unix:/srv/m.sock"},
		{PID: 82, Name: "boxed", Program: x86, Address: "unix:" + filepath.Join(p.dir, "82/root/m.sock")},
		{PID: 83, Name: "fd", Program: x86, Address: "unix:name of it,abstract=on"},
		{PID: 84, Name: "lab", Program: "qemu-kvm", Address: "libvirt:lab", Socket: "unix:/var/m", Agent: "unix:/ga,,1", Libvirt: true, Clients: 1},
		{PID: 85, Program: x86},
		{PID: 900, Name: "web01", Program: x86, Address: "unix:/run/web"},
	}
	for i := range want {
		if !want[i].Libvirt {
			want[i].Socket = want[i].Address
		}
	}
	// The path of 900 has a space, which the command line of this test cannot have.
	assert.Empty(t, cmp.Diff(want[:8], got[:8]))
	assert.Equal(t, 900, got[8].PID)
}

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	web := Machine{PID: 7, Name: "web01", Socket: "unix:/run/web01", Address: "unix:/run/web01", Agent: "unix:/run/ga", Clients: 1}
	db := Machine{PID: 8, Name: "web02", Address: "libvirt:web02", Libvirt: true}
	twin := Machine{PID: 9, Name: "twin", Address: "unix:/a"}
	other := Machine{PID: 10, Name: "twin", Address: "unix:/b"}
	nameless := Machine{PID: 11, Address: "unix:/c"}
	f := fixed{web, db, twin, other, nameless}

	typed := func(m Machine, name, address string) []Machine {
		m.Name, m.Address = name, address
		return []Machine{m}
	}
	nameless11 := nameless
	nameless11.Name = "PID:11"
	for addr, want := range map[string][]Machine{
		"web01":                {web},
		"PID:7":                {web},
		"PID:11":               {nameless11},
		"@web*":                {web, db},
		"@*":                   {web, db, twin, other},
		"/run/web01":           typed(web, "/run/web01", "unix:/run/web01"),
		"unix:/run/web01":      typed(web, "unix:/run/web01", "unix:/run/web01"),
		"./x,y":                typed(Machine{}, "./x,y", "unix:./x,,y"),
		"/a:b":                 typed(Machine{}, "/a:b", "unix:/a:b"),
		"localhost:44":         typed(Machine{}, "localhost:44", "tcp:localhost:44"),
		"[::1]:44":             typed(Machine{}, "[::1]:44", "tcp:[::1]:44"),
		"tcp:[::1]:44":         typed(Machine{}, "tcp:[::1]:44", "tcp:[::1]:44"),
		"vsock:3:44":           typed(Machine{}, "vsock:3:44", "vsock:3:44"),
		"fd:3":                 typed(Machine{}, "fd:3", "fd:3"),
		"libvirt:web02":        typed(Machine{Libvirt: true}, "libvirt:web02", "libvirt:web02"),
		"libvirt+ssh://h/name": typed(Machine{Libvirt: true}, "libvirt+ssh://h/name", "libvirt+ssh://h/name"),
	} {
		got, err := Resolve(t.Context(), f, addr)
		assert.NoError(t, err, addr)
		assert.Empty(t, cmp.Diff(want, got), addr)
	}
	for addr, want := range map[string]string{
		"":                    "the address is empty",
		"web1":                `no machine is named "web1"; "qapi ps" shows those of this host; did you mean "web01"?`,
		"zebra":               `no machine is named "zebra"; "qapi ps" shows those of this host`,
		"twin":                `2 machines are named "twin": use PID:9 or PID:10`,
		"PID:x":               `"x" is not the id of a process`,
		"PID:12":              "process 12 is not a QEMU of this host",
		"@[":                  `pattern "[": syntax error in pattern`,
		"libvirt+tls://h/web": `"libvirt+tls://h/web": this program has no TLS: use libvirt+ssh://HOST/NAME`,
		"@db*":                `no machine's name matches "db*"; "qapi ps" shows those of this host`,
	} {
		_, err := Resolve(t.Context(), f, addr)
		assert.EqualError(t, err, want, addr)
	}

	// Where machines cannot be found, addresses work.
	got, err := Resolve(t.Context(), unsupported{}, "/run/x")
	require.NoError(t, err)
	assert.Equal(t, "unix:/run/x", got[0].Address)
	for _, addr := range []string{"web", "PID:1", "@*"} {
		_, err = Resolve(t.Context(), unsupported{}, addr)
		assert.ErrorIs(t, err, ErrUnsupported, addr)
	}
}
