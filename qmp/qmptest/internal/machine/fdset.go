package machine

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

// An fdset is a set of files, which nodes can open as /dev/fdset/N.
type fdset struct {
	id    int64
	files []*fdsetFile
	nodes []*node // that have opened one
}

type fdsetFile struct {
	number  int64 // QEMU's number for it
	opaque  *string
	file    *os.File
	removed bool // it goes away as soon as the machine runs
}

func (m *Machine) fileCommands() map[string]Handler {
	return map[string]Handler{
		"getfd":        change(m, m.getFile),
		"closefd":      change(m, m.closeFile),
		"add-fd":       handle(m, m.addFile),
		"remove-fd":    change(m, m.removeFile),
		"query-fdsets": query(m, m.queryFiles),
	}
}

func noFile() error { return generic("No file descriptor supplied via SCM_RIGHTS") }

func (m *Machine) getFile(args qapi.GetfdArgs, req Request) error {
	f := req.TakeFile()
	switch {
	case f == nil:
		return noFile()
	case args.Fdname != "" && args.Fdname[0] >= '0' && args.Fdname[0] <= '9':
		f.Close()
		return generic("Parameter 'fdname' expects a name not starting with a digit")
	}
	if old := m.files[args.Fdname]; old != nil {
		old.Close()
	}
	m.files[args.Fdname] = f
	return nil
}

func (m *Machine) closeFile(args qapi.ClosefdArgs, _ Request) error {
	f := m.files[args.Fdname]
	if f == nil {
		return generic("File descriptor named '%s' not found", args.Fdname)
	}
	f.Close()
	delete(m.files, args.Fdname)
	return nil
}

// firstFile is the number of the first file that is passed.
const firstFile = 11

func (m *Machine) addFile(args qapi.AddFDArgs, req Request) (any, error) {
	f := req.TakeFile()
	if f == nil {
		return nil, noFile()
	}
	if args.FdsetID != nil && *args.FdsetID < 0 {
		f.Close()
		return nil, generic("Parameter 'fdset-id' expects a non-negative value")
	}
	s := m.fdset(args.FdsetID)
	number := firstFile + int64(m.made.files)
	m.made.files++
	s.files = append(s.files, &fdsetFile{number: number, opaque: args.Opaque, file: f})
	return qapi.AddfdInfo{FdsetID: s.id, FD: number}, nil
}

// fdset finds a set, or makes it. Without an id it makes a new one, with the smallest
// free number.
func (m *Machine) fdset(id *int64) *fdset {
	s := &fdset{}
	for i, other := range m.fdsets { // in the order of their numbers
		switch {
		case id != nil && other.id == *id:
			return other
		case id == nil && other.id == s.id:
			s.id = int64(i) + 1
		}
	}
	s.id = valueOr(id, s.id)
	m.fdsets = append(m.fdsets, s)
	slices.SortFunc(m.fdsets, func(a, b *fdset) int { return int(a.id - b.id) })
	return s
}

func (m *Machine) removeFile(args qapi.RemoveFDArgs, _ Request) error {
	what := fmt.Sprintf("fdset-id:%d", args.FdsetID)
	if args.FD != nil {
		what += fmt.Sprintf(", fd:%d", *args.FD)
	}
	found := false
	for _, s := range m.fdsets {
		for _, f := range s.files {
			if s.id == args.FdsetID && valueOr(args.FD, f.number) == f.number {
				f.removed, found = true, true
			}
		}
		found = found || s.id == args.FdsetID && args.FD == nil
	}
	if !found {
		return generic("File descriptor named '%s' not found", what)
	}
	m.tidyFiles(args.FdsetID)
	return nil
}

// tidyFiles drops those files of a set that were removed, and the set if nothing is left
// of it. Older releases do so only while the machine runs.
func (m *Machine) tidyFiles(id int64) {
	i := slices.IndexFunc(m.fdsets, func(s *fdset) bool { return s.id == id })
	if i < 0 {
		return
	}
	s := m.fdsets[i]
	if m.running() || m.since("10.0") {
		s.files = slices.DeleteFunc(s.files, func(f *fdsetFile) bool {
			if f.removed {
				f.file.Close()
			}
			return f.removed
		})
	}
	if len(s.files) == 0 && len(s.nodes) == 0 {
		m.fdsets = slices.Delete(m.fdsets, i, i+1)
	}
}

func (m *Machine) queryFiles() []qapi.FdsetInfo {
	all := []qapi.FdsetInfo{}
	for _, s := range slices.Backward(m.fdsets) {
		info := qapi.FdsetInfo{FdsetID: s.id}
		for _, f := range s.files {
			info.FDs = append(info.FDs, qapi.FdsetFDInfo{FD: f.number, Opaque: f.opaque})
		}
		all = append(all, info)
	}
	return all
}

// openFile notes that a node opens a file of a set, if its name says so.
func (m *Machine) openFile(n *node) error {
	name, ok := strings.CutPrefix(n.filename, "/dev/fdset/")
	if !ok {
		return nil
	}
	id, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return generic("Could not parse fdset %s", n.filename)
	}
	for _, s := range m.fdsets {
		if s.id == id {
			s.nodes = append(s.nodes, n)
			return nil
		}
	}
	return generic("Failed to find fdset %s", n.filename)
}

// shutFile notes that a node is gone.
func (m *Machine) shutFile(n *node) {
	for _, s := range slices.Clone(m.fdsets) {
		if i := slices.Index(s.nodes, n); i >= 0 {
			s.nodes = slices.Delete(s.nodes, i, i+1)
			m.tidyFiles(s.id)
		}
	}
}

// MonitorsLeft must be called when the last monitor has disconnected: older releases then
// drop the sets that nothing has opened, if the machine runs.
func (m *Machine) MonitorsLeft() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since("10.0") || !m.running() {
		return
	}
	for _, s := range slices.Clone(m.fdsets) {
		if len(s.nodes) == 0 {
			for _, f := range s.files {
				f.removed = true
			}
			m.tidyFiles(s.id)
		}
	}
}

// Close closes the files that the machine was passed, and ends its wait for another machine.
func (m *Machine) Close() {
	m.ended.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.files {
		f.Close()
	}
	for _, s := range m.fdsets {
		for _, f := range s.files {
			f.file.Close()
		}
	}
	clear(m.files)
	m.fdsets = nil
	leave(m)
}
