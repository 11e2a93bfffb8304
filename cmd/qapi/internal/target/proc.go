package target

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/qmp"
)

// Proc finds QEMUs in Linux's /proc. It reads command lines, file descriptors and tables of
// sockets, and connects to nothing. It leaves out what it may not read of other users'
// processes.
type Proc struct {
	Dir string // "/proc", except in tests
}

// Find returns the QEMUs, by their process ids.
func (p Proc) Find(ctx context.Context) ([]Machine, error) {
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		return nil, err
	}
	var found []Machine
	tables := map[string]*socketTable{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		dir := filepath.Join(p.Dir, e.Name())
		text, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil { // the process has ended
			continue
		}
		args := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
		if line, ok := readCommandLine(args); ok {
			found = append(found, process{dir, pid}.machine(line, tables))
		}
	}
	slices.SortFunc(found, func(a, b Machine) int { return a.PID - b.PID })
	return found, nil
}

// A process is a running QEMU.
type process struct {
	dir string // /proc/PID
	pid int
}

func (p process) machine(line commandLine, tables map[string]*socketTable) Machine {
	m := Machine{PID: p.pid, Name: line.name, Program: line.program, Libvirt: line.libvirt}
	table := p.table(tables)
	inodes := p.inodes()
	for _, s := range line.agents {
		if m.Agent == "" {
			m.Agent, _ = p.reach(s, table, inodes)
		}
	}
	// Of several monitors, the first one that is free.
	for _, s := range line.monitors {
		address, clients := p.reach(s, table, inodes)
		if address != "" && (m.Socket == "" || m.Clients > 0 && clients == 0) {
			m.Socket, m.Clients, m.Waits = address, clients, s.waits
		}
	}
	if m.Address = m.Socket; m.Libvirt {
		m.Address = "libvirt:" + m.Name
	}
	return m
}

// table returns the sockets in the process's network namespace.
func (p process) table(tables map[string]*socketTable) *socketTable {
	namespace, err := os.Readlink(filepath.Join(p.dir, "ns", "net"))
	if err != nil {
		namespace = p.dir // a process of another user: the tool's own namespace
	}
	t := tables[namespace]
	if t == nil {
		t = readSocketTable(filepath.Join(p.dir, "net"))
		tables[namespace] = t
	}
	return t
}

// inodes returns the sockets that the process has, by file descriptor; nil if they cannot be
// read.
func (p process) inodes() map[string]string {
	dir := filepath.Join(p.dir, "fd")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil
	}
	inodes := map[string]string{}
	for _, e := range entries {
		link, _ := os.Readlink(filepath.Join(dir, e.Name()))
		if inode, ok := strings.CutPrefix(link, "socket:["); ok {
			inodes[e.Name()] = strings.TrimSuffix(inode, "]")
		}
	}
	return inodes
}

// reach returns the address of a socket, or "", and how many clients are connected to it.
func (p process) reach(s socket, t *socketTable, inodes map[string]string) (address string, clients int) {
	if s.fd != "" {
		l, ok := t.listeners[inodes[s.fd]]
		if !ok {
			return "", 0
		}
		s = l
	}
	switch {
	case s.path != "":
		return p.unixAddress(s.path), t.connected(s.path, inodes)
	case s.port != "":
		host := s.host
		if host == "" || host == "0.0.0.0" || host == "::" {
			host = "localhost"
		}
		return "tcp:" + net.JoinHostPort(host, s.port), t.connected(":"+s.port, inodes)
	}
	return "", 0
}

// unixAddress returns the address of a Unix socket, by its path as the process sees it.
func (p process) unixAddress(path string) string {
	if name, ok := strings.CutPrefix(path, "\x00"); ok {
		return qmp.UnixAddr(name) + ",abstract=on"
	}
	if !filepath.IsAbs(path) {
		cwd, err := os.Readlink(filepath.Join(p.dir, "cwd"))
		if err != nil {
			return "" // a process of another user
		}
		path = filepath.Join(cwd, path)
	}
	if root, err := os.Readlink(filepath.Join(p.dir, "root")); err == nil && root != "/" {
		path = filepath.Join(p.dir, "root", path) // in a container
	}
	return qmp.UnixAddr(path)
}
