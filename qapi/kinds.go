package qapi

import (
	"errors"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qmp"
)

// IsNotFound reports whether a server refused a command because something that the command
// needs does not exist: a device, a block node, a job, an export, a property, an image file.
// For a command that removes it, this is success.
//
// Servers say so in words, which differ between releases; this holds for all supported
// ones. Their words for rare commands may not be known here: the function is then false.
// It is false, too, for what no server said, such as a lost connection.
func IsNotFound(err error) bool { return kindOf(err) == kindNotFound }

// IsInUse reports whether a server refused a command because something else uses what it
// is about: a block node that a device or a job has, an image that another process has
// locked, a PCI slot, an address. The same command can succeed later. See [IsNotFound].
func IsInUse(err error) bool { return kindOf(err) == kindInUse }

// IsExists reports whether a server refused a command because there is something with
// that id or name already. See [IsNotFound].
func IsExists(err error) bool { return kindOf(err) == kindExists }

// IsUnsupported reports whether a server refused a command because it does not know the
// command, an argument, a value or a kind of device, or cannot do it with what it has.
// Another release may. See [IsNotFound]; [Capabilities] can tell before.
func IsUnsupported(err error) bool { return kindOf(err) == kindUnsupported }

// An errorKind is what a refusal means, whatever words the release has for it.
type errorKind int

const (
	kindOther errorKind = iota
	kindNotFound
	kindInUse
	kindExists
	kindUnsupported
)

// A refusal is one way in which servers say no.
type refusal struct {
	kind     errorKind
	class    string   // of the error; "": GenericError
	text     string   // of the error, whole; * stands for any text
	commands []string // nil: of any command
	why      string   // it is of that kind
}

// refusals are what servers say, the first that fits counts. TestQEMUErrorKinds provokes
// each.
var refusals = []refusal{
	{kindUnsupported, qmp.ClassCommandNotFound, "*", nil, "the command itself is what is not known"},
	{kindNotFound, qmp.ClassDeviceNotFound, "*", nil, "the class says so: of devices, QOM paths, types"},
	{kindNotFound, qmp.ClassDeviceNotActive, "Block job '*' not found", nil, "a job that has ended"},
	{kindNotFound, qmp.ClassDeviceNotActive, "No balloon device has been activated", nil, "the machine has no balloon"},

	{kindUnsupported, "", "Property '*' not found", []string{"device_add", "object-add"}, "a property that this release does not have"},
	{kindNotFound, "", "Property '*' not found", nil, "qom-get and qom-set of any name"},
	{kindNotFound, "", "Cannot find node *", nil, "a block node, 5.2"},
	{kindNotFound, "", "Failed to find node with node-name='*'", nil, "a block node"},
	{kindNotFound, "", "Cannot find device=* nor node*name=*", nil, "a block node or device, with quotes or without"},
	{kindNotFound, "", "Node '*' not found", nil, "a block node of a bitmap"},
	{kindNotFound, "", "Device '*' not found", nil, "a character device, a block node, with a class that does not say so"},
	{kindNotFound, "", "Job not found", nil, "a job that was dismissed"},
	{kindNotFound, "", "Export '*' is not found", nil, "a block export"},
	{kindNotFound, "", "Bus '*' not found", nil, "the bus for a new device"},
	{kindNotFound, "", "No '*' bus found for device '*'", nil, "the bus for a new device that did not name one"},
	{kindNotFound, "", "Property '*' can't find value '*'", nil, "what a new device is to use, such as its node"},
	{kindNotFound, "", "object '*' not found", nil, "an object of object-add"},
	{kindNotFound, "", "Chardev '*' not found", nil, "a character device"},
	{kindNotFound, "", "Dirty bitmap '*' not found", nil, "a bitmap"},
	{kindNotFound, "", "File descriptor named '*' not found", nil, "a file that was passed, or an fd set"},
	{kindNotFound, "", "Throttle group '*' does not exist", nil, "a group that a new node is to be in"},
	{kindNotFound, "", "invalid net client name: *", nil, "a NIC"},
	{kindNotFound, "", "CPU model '*' not found", nil, "a CPU model"},
	{kindNotFound, "", "Input handler not found for event type *", nil, "a keyboard or pointer of that kind"},
	{kindNotFound, "", "*: No such file or directory", nil, "an image or a socket"},

	{kindInUse, "", "Node * is in use", nil, "a block node that a device or an export has"},
	{kindInUse, "", "Block device * is in use", nil, "a block node below another"},
	{kindInUse, "", "Device '*' is in use", nil, "a block node that a job has, 5.2"},
	{kindInUse, "", "Node '*' is busy: *", nil, "a block node that a job has"},
	{kindInUse, "", "Conflicts with use by *", nil, "a block node for a second writer, 5.2"},
	{kindInUse, "", "*Permission conflict on node '*'*", nil, "a block node for a second writer"},
	{kindInUse, "", "Failed to get \"*\" lock*", nil, "an image that another process has"},
	{kindInUse, "", "Bitmap '*' is currently in use by another operation and cannot be used", nil, "a bitmap that a job has"},
	{kindInUse, "", "object '*' is in use, can not be deleted", nil, "an object that a device or a node has"},
	{kindInUse, "", "Cannot delete * with active references", nil, "a throttle group, 11.1"},
	{kindInUse, "", "Cannot delete * which is mapped", nil, "memory that the machine has, 11.1"},
	{kindInUse, "", "Chardev '*' is busy", nil, "a character device that a device has"},
	{kindInUse, "", "Property '*' can't take value '*in use", nil, "a netdev or character device for a second device"},
	{kindInUse, "", "PCI: slot * function * not available for *, in use by *", nil, "a slot"},
	{kindInUse, "", "PCI: slot * already occupied by *", nil, "a slot, where a function was to be added"},
	{kindInUse, "", "*: Address already in use", nil, "a port or path to listen on"},

	{kindExists, "", "Duplicate node name", nil, "a block node, 5.2"},
	{kindExists, "", "Duplicate nodes with node-name='*'", nil, "a block node"},
	{kindExists, "", "Duplicate *ID '*'*", nil, "a device, a netdev"},
	{kindExists, "", "attempt to add duplicate property '*' to object (type '*')", nil, "an object, a character device of 5.2"},
	{kindExists, "", "Chardev with id '*' already exists", nil, "a character device"},
	{kindExists, "", "Job ID '*' already in use", nil, "a job: the name is taken"},
	{kindExists, "", "Block export id '*' is already in use", nil, "a block export: the name is taken"},
	{kindExists, "", "NBD server already has export named '*'", nil, "a block export"},
	{kindExists, "", "NBD server already running", nil, "there can be one"},
	{kindExists, "", "Bitmap already exists: *", nil, "a bitmap"},
	{kindExists, "", "CPU[*] with APIC ID * exists", nil, "a CPU"},

	{kindUnsupported, "", "Parameter '*' is unexpected", nil, "an argument that this release does not have"},
	{kindUnsupported, "", "Parameter '*' does not accept value '*'", nil, "a value that this release does not have"},
	{kindUnsupported, "", "Invalid parameter '*'", nil, "the same, 5.2"},
	{kindUnsupported, "", "'*' is not a valid device model name", nil, "a device that this release or build does not have"},
	{kindUnsupported, "", "invalid object type: *", nil, "an object of object-add, 5.2"},
	{kindUnsupported, "", "Parameter 'type' expects a netdev backend type", nil, "a netdev, 5.2"},
	{kindUnsupported, "", "network backend '*' is not compiled into this binary", nil, "a netdev"},
	{kindUnsupported, "", "Parameter 'uri' expects a valid migration protocol", nil, "a kind of migration, 5.2 and 7.2"},
	{kindUnsupported, "", "unknown migration protocol: *", nil, "a kind of migration"},
	{kindUnsupported, "", "*does not support *", nil, "a bus without hot-plug, a format without snapshots"},
	{kindUnsupported, "", "* is not supported on this target", nil, "a command of other targets, 11.1"},
	{kindUnsupported, "", "* is not available on this target", nil, "the same"},
}

// kindOf is what the refusal in err means.
func kindOf(err error) errorKind {
	e, ok := errors.AsType[*qmp.Error](err)
	if !ok {
		return kindOther
	}
	for _, r := range refusals {
		if r.fits(e) {
			return r.kind
		}
	}
	return kindOther
}

func (r refusal) fits(e *qmp.Error) bool {
	class := r.class
	if class == "" {
		class = qmp.ClassGenericError
	}
	return e.Class == class && (r.commands == nil || slices.Contains(r.commands, e.Command)) && like(e.Desc, r.text)
}

// like reports whether text is as pattern, in which * stands for any text.
func like(text, pattern string) bool {
	parts := strings.Split(pattern, "*")
	last := len(parts) - 1
	text, ok := strings.CutPrefix(text, parts[0])
	if !ok || last == 0 {
		return ok && text == ""
	}
	for _, part := range parts[1:last] {
		if _, text, ok = strings.Cut(text, part); !ok {
			return false
		}
	}
	return strings.HasSuffix(text, parts[last])
}
