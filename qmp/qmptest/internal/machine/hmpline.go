package machine

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// A line is a command of the human monitor that takes words after its name.
type line struct {
	words int // at least
	most  int
	do    func(words []string) (string, error)
}

// does makes a line of a function that takes a word and prints nothing.
func does(f func(word string) error) line {
	return line{1, 1, func(words []string) (string, error) { return "", f(words[0]) }}
}

// lines returns the commands that take words, by name.
func (m *Machine) lines(req Request) map[string]line {
	return map[string]line{
		"chardev-remove": does(func(w string) error { return m.chardevRemove(qapi.ChardevRemoveArgs{ID: w}, req) }),
		"closefd":        does(func(w string) error { return m.closeFile(qapi.ClosefdArgs{Fdname: w}, req) }),
		"device_del":     does(func(w string) error { return m.deviceDel(qapi.DeviceDelArgs{ID: w}, req) }),
		"netdev_del":     does(func(w string) error { return m.netdevDel(qapi.NetdevDelArgs{ID: w}, req) }),
		"object_del":     does(func(w string) error { return m.objectDel(qapi.ObjectDelArgs{ID: w}, req) }),
		"balloon":        {1, 1, m.hmpInflate(req)},
		"info block":     {0, 2, m.hmpBlock},
		"qemu-io":        {2, 3, m.hmpIO},
		"qom-get":        {2, 2, m.hmpGet},
		"qom-list":       {1, 1, m.hmpList},
		"set_link":       {2, 2, m.hmpSetLink(req)},
	}
}

// execute executes the line with the words that were given.
func (l line) execute(name string, words []string) string {
	name = strings.TrimPrefix(name, "info ")
	problem := ""
	switch {
	case len(words) < l.words && name == "balloon":
		return hint("unexpected end of expression", name)
	case len(words) < l.words:
		problem = "string expected"
	case len(words) > l.most:
		problem = "extraneous characters at the end of line"
	}
	if problem != "" {
		return hint(name+": "+problem, name)
	}
	text, err := l.do(words)
	if err != nil {
		return "Error: " + description(err) + "\r\n"
	}
	return text
}

// hint returns what is wrong with a line.
func hint(problem, name string) string {
	return fmt.Sprintf("%s\r\nTry \"help %s\" for more information\r\n", problem, name)
}

// split splits a line into words; what is in quotes is one.
func split(text string) (words []string) {
	for i, part := range strings.Split(text, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

func (m *Machine) hmpInflate(req Request) func([]string) (string, error) {
	return func(w []string) (string, error) {
		megabytes, ok := number(w[0])
		if !ok {
			return hint(fmt.Sprintf("invalid char '%c' in expression", w[0][0]), "balloon"), nil
		}
		return "", m.inflate(qapi.BalloonArgs{Value: megabytes << 20}, req)
	}
}

func (m *Machine) hmpSetLink(req Request) func([]string) (string, error) {
	return func(w []string) (string, error) {
		if w[1] != "on" && w[1] != "off" {
			return hint("Expected 'on' or 'off'", "set_link"), nil
		}
		return "", m.setLink(qapi.SetLinkArgs{Name: w[0], Up: w[1] == "on"}, req)
	}
}

func (m *Machine) hmpGet(w []string) (string, error) {
	v, err := m.qomGet(qapi.QOMGetArgs{Path: w[0], Property: w[1]}, nil)
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(v, jsontext.WithIndent("    "))
	return strings.ReplaceAll(string(text), "\n", "\r\n") + "\r\n", err
}

func (m *Machine) hmpList(w []string) (string, error) {
	_, properties, err := m.resolve(w[0])
	var b strings.Builder
	for _, p := range properties {
		fmt.Fprintf(&b, "%s (%s)\r\n", p.Name, p.Type)
	}
	return b.String(), err
}

// hmpBlock shows the drives, or one node, or with -n all of them.
func (m *Machine) hmpBlock(w []string) (string, error) {
	var all []string
	switch {
	case len(w) == 0:
		for _, info := range m.queryBlock() {
			all = append(all, blockText(info))
		}
	case len(w) == 1 && w[0] == "-n":
		for _, n := range m.nodes {
			all = append(all, insertedText(n.name, m.nodeInfo(n, false), ""))
		}
	case len(w) == 1 && w[0][0] != '-':
		if n := m.node(w[0]); n != nil {
			all = append(all, insertedText(n.name, m.nodeInfo(n, false), ""))
		}
	default:
		return "", m.host.NotExecuted("the line info block " + strings.Join(w, " ") + " of human-monitor-command")
	}
	return strings.Join(all, "\r\n"), nil
}

func blockText(info qapi.BlockInfo) string {
	attached := fmt.Sprintf("    Attached to:      %s\r\n", value(info.Qdev))
	tray := ""
	if info.Removable {
		tray = "    Removable device: not locked, tray closed\r\n"
		if value(info.TrayOpen) {
			tray = "    Removable device: not locked, tray open\r\n"
		}
	}
	if info.Inserted == nil {
		return value(info.Qdev) + ": [not inserted]\r\n" + attached + tray
	}
	return insertedText(info.Inserted.NodeName, *info.Inserted, attached+tray)
}

// insertedText shows a node, with the lines about the drive that it is in.
func insertedText(name string, info qapi.BlockDeviceInfo, place string) string {
	kind := info.Drv
	if info.Ro {
		kind += ", read-only"
	}
	text := fmt.Sprintf("%s: %s (%s)\r\n%s    Cache mode:       writeback\r\n", name, info.File, kind, place)
	if info.BackingFile != nil {
		text += fmt.Sprintf("    Backing file:     %s (chain depth: %d)\r\n", *info.BackingFile, info.BackingFileDepth)
	}
	return text
}

// hmpIO reads or writes a node, or with -d a drive, as a guest would. QEMU prints the outcome
// elsewhere. Only asynchronous requests count in the statistics of the drive.
func (m *Machine) hmpIO(w []string) (string, error) {
	var d *device
	var n *node
	if w[0] == "-d" {
		if d = m.device(w[1]); d == nil || !d.isDrive() {
			return "", generic("Device '%s' not found", w[1])
		}
		n = d.node
	} else if n = m.node(w[0]); n == nil {
		return "", m.noNode(w[0])
	}
	name, r, ok := ioRequest(w[len(w)-1])
	switch {
	case !ok || n == nil || r.offset > n.size-r.size || r.write && n.readOnly:
	case d == nil && r.write && m.deviceOf(n) != nil:
		return m.sharedText(n), nil
	case d != nil && strings.HasPrefix(name, "aio_"):
		m.transfer(d, r)
	case r.write:
		m.write(n, r)
	}
	return "", nil
}

func (m *Machine) noNode(name string) error {
	if m.since("6.0") {
		return generic("Cannot find device='' nor node-name='%s'", name)
	}
	return generic("Cannot find device= nor node_name=%s", name)
}

// sharedText returns why a node cannot be written to: a device uses it.
func (m *Machine) sharedText(n *node) string {
	user := m.deviceOf(n).name()
	if !m.since("6.1") {
		return fmt.Sprintf("Conflicts with use by %s as 'root', which does not allow 'write' on %s\r\n", user, n.name)
	}
	return fmt.Sprintf("Permission conflict on node '%s': permissions 'write' are both required by an unnamed block device "+
		"(uses node '%s' as 'root' child) and unshared by block device '%s' (uses node '%s' as 'root' child).\r\n",
		n.name, n.name, user, n.name)
}

// ioRequest reads a command for qemu-io; ok is false if the command has no effect.
func ioRequest(text string) (name string, r diskRequest, ok bool) {
	words := strings.Fields(text)
	if len(words) != 3 {
		return "", r, false
	}
	offset, isOffset := number(words[1])
	size, isSize := number(words[2])
	if !isOffset || !isSize {
		return "", r, false
	}
	switch name := strings.TrimPrefix(words[0], "aio_"); name {
	case "write", "read":
		return words[0], diskRequest{name == "write", offset, size}, true
	}
	return "", r, false
}

// number reads a number that may be followed by k, M or G.
func number(text string) (n int64, ok bool) {
	shift := 0
	for unit, bits := range map[string]int{"k": 10, "K": 10, "M": 20, "G": 30} {
		if rest, ok := strings.CutSuffix(text, unit); ok {
			text, shift = rest, bits
		}
	}
	n, err := strconv.ParseInt(text, 0, 32)
	return n << shift, err == nil && n >= 0
}
