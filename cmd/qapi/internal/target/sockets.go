package target

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A socketTable is what the kernel says about the sockets of a network namespace.
type socketTable struct {
	listeners map[string]socket              // by inode
	clients   map[string]map[string]struct{} // inodes of the accepted sockets, by path, or by ":" and port
}

// readSocketTable reads the tables in the folder net of a process. What cannot be read is
// empty.
func readSocketTable(dir string) *socketTable {
	t := &socketTable{map[string]socket{}, map[string]map[string]struct{}{}}
	for line := range lines(dir, "unix") {
		t.addUnix(line)
	}
	for _, name := range []string{"tcp", "tcp6"} {
		for line := range lines(dir, name) {
			t.addTCP(line)
		}
	}
	return t
}

// lines returns an iterator over the lines of a file after its head.
func lines(dir, name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return
		}
		_, rest, _ := strings.Cut(string(text), "\n")
		for line := range strings.Lines(rest) {
			if !yield(strings.TrimSuffix(line, "\n")) {
				return
			}
		}
	}
}

// addUnix reads a line "Num RefCount Protocol Flags Type St Inode Path", in which the path may
// have spaces.
func (t *socketTable) addUnix(line string) {
	const (
		listens   = "00010000" // a flag
		connected = "03"       // a state
	)
	f := strings.SplitN(strings.Join(strings.Fields(line), " "), " ", 8)
	if len(f) < 8 {
		return
	}
	flags, state, inode := f[3], f[5], f[6]
	_, path, _ := strings.Cut(line, " "+inode+" ")
	if name, ok := strings.CutPrefix(path, "@"); ok {
		path = "\x00" + name
	}
	switch {
	case flags == listens:
		t.listeners[inode] = socket{path: path}
	case state == connected && inode != "0": // 0: the connection waits to be accepted
		t.addClient(path, inode)
	}
}

// addTCP reads a line "sl local_address rem_address st … uid timeout inode …".
func (t *socketTable) addTCP(line string) {
	const (
		established = "01" // states
		listens     = "0A"
	)
	f := strings.Fields(line)
	if len(f) < 10 {
		return
	}
	_, hex, _ := strings.Cut(f[1], ":")
	number, err := strconv.ParseUint(hex, 16, 16)
	if err != nil {
		return
	}
	port := strconv.FormatUint(number, 10)
	switch state, inode := f[3], f[9]; state {
	case listens:
		t.listeners[inode] = socket{port: port}
	case established:
		t.addClient(":"+port, inode)
	}
}

func (t *socketTable) addClient(at, inode string) {
	if t.clients[at] == nil {
		t.clients[at] = map[string]struct{}{}
	}
	t.clients[at][inode] = struct{}{}
}

// connected returns how many clients a process has accepted at an address. If its
// descriptors are not known, all clients at the address count.
func (t *socketTable) connected(at string, inodes map[string]string) int {
	if inodes == nil {
		return len(t.clients[at])
	}
	n := 0
	for _, inode := range inodes {
		if _, ok := t.clients[at][inode]; ok {
			n++
		}
	}
	return n
}
