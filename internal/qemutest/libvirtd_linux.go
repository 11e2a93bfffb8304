package qemutest

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A Libvirtd is a libvirtd that a test starts, with its own folders, so that it does not disturb
// others. It runs as that of an ordinary user; if root runs the test, the user is nobody.
type Libvirtd struct {
	name   string // of the program: libvirtd or virtqemud
	dir    string
	args   []string
	daemon *exec.Cmd
	log    *os.File
}

const (
	nobody      = 65534
	dacOverride = 1 // the capability to use files of other users, such as those of a test that root runs
)

// qemuConf lets libvirt work in a container: without cgroups, namespaces, and security drivers.
const qemuConf = `security_driver = "none"
remember_owner = 0
cgroup_controllers = []
namespaces = []
seccomp_sandbox = 0
stdio_handler = "file"
clear_emulator_capabilities = 0
`

// StartLibvirtd starts a libvirtd, if there is a QEMU, see [QEMUs]. Without libvirtd or virsh the test is
// skipped, or fails if QAPI_REQUIRE_LIBVIRT is set. When the test ends, libvirtd and the QEMUs that it started
// are killed. conf are lines of its libvirtd.conf, such as those that make it listen on the network.
func StartLibvirtd(t testing.TB, conf ...string) *Libvirtd {
	t.Helper()
	return startLibvirtd(t, "libvirtd", conf)
}

// StartVirtqemud is like StartLibvirtd for virtqemud, libvirt's daemon for QEMU only. Not all distributions have it;
// without it the test is skipped.
func StartVirtqemud(t testing.TB) *Libvirtd {
	t.Helper()
	if program("virtqemud") == "" {
		t.Skip("no virtqemud: this distribution has libvirtd only")
	}
	return startLibvirtd(t, "virtqemud", nil)
}

func startLibvirtd(t testing.TB, daemon string, conf []string) *Libvirtd {
	t.Helper()
	QEMUs(t) // without one a libvirtd is of no use
	for _, name := range []string{daemon, "virsh"} {
		if program(name) == "" {
			if os.Getenv("QAPI_REQUIRE_LIBVIRT") != "" {
				t.Fatal("there is no " + name)
			}
			t.Skip("no libvirt: there is no " + name)
		}
	}
	dir, err := os.MkdirTemp("", "lv") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	l := &Libvirtd{name: daemon, dir: dir}
	t.Cleanup(func() {
		l.Kill(t)
		l.killQEMUs(t)
		os.RemoveAll(dir)
	})
	for _, name := range []string{"config/libvirt", "run", "cache", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "config/libvirt/qemu.conf"), []byte(qemuConf), 0o600); err != nil {
		t.Fatal(err)
	}
	if len(conf) > 0 {
		l.args = []string{"--listen"}
		if err := os.WriteFile(filepath.Join(dir, "config/libvirt/libvirtd.conf"), []byte(strings.Join(conf, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if os.Geteuid() == 0 {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(path, nobody, nobody)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	l.Start(t)
	return l
}

// LibvirtQEMUs returns the [QEMUs] for tests with libvirt: of those in QAPI_QEMU_LAB the release 7.2 and the
// newest.
func LibvirtQEMUs(t testing.TB) []QEMU {
	t.Helper()
	all := QEMUs(t)
	newest := all[len(all)-1]
	return slices.DeleteFunc(all, func(q QEMU) bool { return q.Release != "7.2" && q != newest })
}

// program returns where a program is, "" if it is not there.
func program(name string) string {
	for _, path := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(path); err == nil {
			return path
		}
	}
	return ""
}

// Env returns the environment of a program that looks for the libvirtd of its user.
func (l *Libvirtd) Env() []string {
	env := append(os.Environ(), "HOME="+l.dir, "LC_ALL=C")
	for name, dir := range map[string]string{"CONFIG": "config", "RUNTIME": "run", "CACHE": "cache", "DATA": "data"} {
		kind := "_HOME"
		if name == "RUNTIME" {
			kind = "_DIR"
		}
		env = append(env, "XDG_"+name+kind+"="+filepath.Join(l.dir, dir))
	}
	return env
}

// Dir returns the folder of the libvirtd's files; its folder run is XDG_RUNTIME_DIR.
func (l *Libvirtd) Dir() string { return l.dir }

// Socket returns the path of the socket at which the libvirtd or virtqemud listens.
func (l *Libvirtd) Socket() string {
	name := "libvirt-sock"
	if l.name == "virtqemud" {
		name = "virtqemud-sock"
	}
	return filepath.Join(l.dir, "run/libvirt", name)
}

// URI returns the address for libvirt.Dial.
func (l *Libvirtd) URI() string { return "qemu:///session?socket=" + url.QueryEscape(l.Socket()) }

// Start starts the daemon, for the first time or after Kill, and returns when it answers.
func (l *Libvirtd) Start(t testing.TB) {
	t.Helper()
	var err error
	if l.log, err = os.Create(filepath.Join(l.dir, "log")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program(l.name), l.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = l.Env(), l.log, l.log
	EndWithTest(cmd)
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		cmd.SysProcAttr.AmbientCaps = []uintptr{dacOverride}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l.daemon = cmd
	for range 300 {
		if _, err := l.virsh("list"); err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := os.ReadFile(l.log.Name())
	t.Fatalf("libvirtd does not answer:\n%s", text)
}

// ReservePort returns a TCP port of 127.0.0.1 for the test's libvirtd. The port is bound until the test ends, so
// that no other program gets it; libvirtd can listen there in spite of that, since it uses SO_REUSEADDR.
func ReservePort(t testing.TB) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Close(fd) })
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	addr, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return addr.(*syscall.SockaddrInet4).Port
}

// Kill kills the daemon. Its QEMUs continue to run.
func (l *Libvirtd) Kill(t testing.TB) {
	t.Helper()
	if l.daemon == nil {
		return
	}
	_ = l.daemon.Process.Kill()
	_ = l.daemon.Wait() // killed
	l.log.Close()
	l.daemon = nil
}

// killQEMUs kills the QEMUs that still run: they have the daemon's folder in their arguments.
func (l *Libvirtd) killQEMUs(t testing.TB) {
	t.Helper()
	for _, pid := range l.qemus(t, "") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// PID returns the process of a domain's QEMU.
func (l *Libvirtd) PID(t testing.TB, domain string) int {
	t.Helper()
	pids := l.qemus(t, "guest="+domain+",")
	if len(pids) != 1 {
		t.Fatalf("domain %s has the processes %v", domain, pids)
	}
	return pids[0]
}

func (l *Libvirtd) qemus(t testing.TB, argument string) []int {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte(l.dir+"/")) || !bytes.Contains(text, []byte("\x00-chardev\x00")) || !strings.Contains(string(text), argument) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(file, "/")[2]); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (l *Libvirtd) virsh(args ...string) ([]byte, error) {
	cmd := exec.Command(program("virsh"), append([]string{"-q", "-c", "qemu+unix:///session?socket=" + l.Socket()}, args...)...)
	cmd.Env = l.Env()
	return cmd.CombinedOutput()
}

// Virsh runs virsh.
func (l *Libvirtd) Virsh(t testing.TB, args ...string) string {
	t.Helper()
	out, err := l.virsh(args...)
	if err != nil {
		t.Fatalf("virsh %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(bytes.TrimSpace(out))
}

// domainXML is a machine with free slots for devices.
const domainXML = `<domain type='qemu'>
<name>%s</name>
<maxMemory slots='1' unit='MiB'>1024</maxMemory>
<memory unit='MiB'>%d</memory>
<vcpu current='1'>2</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type>%s</os>
<features><acpi/></features>
<cpu><numa><cell id='0' cpus='0-1' memory='%[2]d' unit='MiB'/></numa></cpu>
<devices>
<emulator>%[4]s</emulator>
<controller type='pci' index='0' model='pcie-root'/>
<controller type='pci' index='1' model='pcie-root-port'/>
<controller type='pci' index='2' model='pcie-root-port'/>
<controller type='pci' index='3' model='pcie-root-port'/>
<controller type='pci' index='4' model='pcie-root-port'/>
<controller type='scsi' index='0' model='virtio-scsi'/>
<controller type='usb' model='none'/>
<memballoon model='none'/>
%[5]s
</devices></domain>
`

// A LibvirtGuest has parts of the XML that defines a domain.
type LibvirtGuest struct {
	MiB         int    // of memory
	OS, Devices string // XML
}

// Create starts a domain that is paused until a test resumes it.
func (l *Libvirtd) Create(t testing.TB, q QEMU, name string) {
	l.CreateWith(t, q, name, LibvirtGuest{MiB: 64})
}

// CreateWith is like Create, for a domain with a guest.
func (l *Libvirtd) CreateWith(t testing.TB, q QEMU, name string, g LibvirtGuest) {
	t.Helper()
	emulator, err := exec.LookPath(q.Path)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(l.dir, name+".xml")
	if err := os.WriteFile(file, fmt.Appendf(nil, domainXML, name, g.MiB, g.OS, emulator, g.Devices), 0o644); err != nil {
		t.Fatal(err)
	}
	l.Virsh(t, "create", file, "--paused")
}
