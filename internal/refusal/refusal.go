// Package refusal knows what servers mean when they refuse a command, whatever words their
// release has for it.
package refusal

import (
	"errors"
	"slices"
	"strings"

	"github.com/goqapi/goqapi/qmp"
)

// A Kind is what a refusal means, whatever words the release has for it.
type Kind int

const (
	Other       Kind = iota
	NotFound         // something that the command needs does not exist
	InUse            // something else uses what the command is about
	Exists           // there is something with that name already
	Unsupported      // the server does not know what is asked for, or cannot do it
)

// A refusal is one way in which servers say no.
type refusal struct {
	kind     Kind
	class    string   // of the error; "": GenericError
	text     string   // of the error, whole; * stands for any text
	commands []string // nil: of any command
	why      string   // it is of that kind
}

// refusals are what servers say, the first that fits counts. TestQEMUErrorKinds provokes
// each.
var refusals = []refusal{
	{Unsupported, qmp.ClassCommandNotFound, "*", nil, "the command itself is what is not known"},
	{NotFound, qmp.ClassDeviceNotFound, "*", nil, "the class says so: of devices, QOM paths, types"},
	{NotFound, qmp.ClassDeviceNotActive, "Block job '*' not found", nil, "a job that has ended"},
	{NotFound, qmp.ClassDeviceNotActive, "No balloon device has been activated", nil, "the machine has no balloon"},

	{Unsupported, "", "Property '*' not found", []string{"device_add", "object-add"}, "a property that this release does not have"},
	{NotFound, "", "Property '*' not found", nil, "qom-get and qom-set of any name"},
	{NotFound, "", "Cannot find node *", nil, "a block node, 5.2"},
	{NotFound, "", "Failed to find node with node-name='*'", nil, "a block node"},
	{NotFound, "", "Cannot find device=* nor node*name=*", nil, "a block node or device, with quotes or without"},
	{NotFound, "", "Node '*' not found", nil, "a block node of a bitmap"},
	{NotFound, "", "Device '*' not found", nil, "a character device, a block node, with a class that does not say so"},
	{NotFound, "", "Job not found", nil, "a job that was dismissed"},
	{NotFound, "", "Export '*' is not found", nil, "a block export"},
	{NotFound, "", "Bus '*' not found", nil, "the bus for a new device"},
	{NotFound, "", "No '*' bus found for device '*'", nil, "the bus for a new device that did not name one"},
	{NotFound, "", "Property '*' can't find value '*'", nil, "what a new device is to use, such as its node"},
	{NotFound, "", "object '*' not found", nil, "an object of object-add"},
	{NotFound, "", "Chardev '*' not found", nil, "a character device"},
	{NotFound, "", "Dirty bitmap '*' not found", nil, "a bitmap"},
	{NotFound, "", "File descriptor named '*' not found", nil, "a file that was passed, or an fd set"},
	{NotFound, "", "Throttle group '*' does not exist", nil, "a group that a new node is to be in"},
	{NotFound, "", "invalid net client name: *", nil, "a NIC"},
	{NotFound, "", "CPU model '*' not found", nil, "a CPU model"},
	{NotFound, "", "Input handler not found for event type *", nil, "a keyboard or pointer of that kind"},
	{NotFound, "", "*: No such file or directory", nil, "an image or a socket"},

	{InUse, "", "Node * is in use", nil, "a block node that a device or an export has"},
	{InUse, "", "Block device * is in use", nil, "a block node below another"},
	{InUse, "", "Device '*' is in use", nil, "a block node that a job has, 5.2"},
	{InUse, "", "Node '*' is busy: *", nil, "a block node that a job has"},
	{InUse, "", "Conflicts with use by *", nil, "a block node for a second writer, 5.2"},
	{InUse, "", "*Permission conflict on node '*'*", nil, "a block node for a second writer"},
	{InUse, "", "Failed to get \"*\" lock*", nil, "an image that another process has"},
	{InUse, "", "Bitmap '*' is currently in use by another operation and cannot be used", nil, "a bitmap that a job has"},
	{InUse, "", "object '*' is in use, can not be deleted", nil, "an object that a device or a node has"},
	{InUse, "", "Cannot delete * with active references", nil, "a throttle group, 11.1"},
	{InUse, "", "Cannot delete * which is mapped", nil, "memory that the machine has, 11.1"},
	{InUse, "", "Chardev '*' is busy", nil, "a character device that a device has"},
	{InUse, "", "Property '*' can't take value '*in use", nil, "a netdev or character device for a second device"},
	{InUse, "", "PCI: slot * function * not available for *, in use by *", nil, "a slot"},
	{InUse, "", "PCI: slot * already occupied by *", nil, "a slot, where a function was to be added"},
	{InUse, "", "*: Address already in use", nil, "a port or path to listen on"},

	{Exists, "", "Duplicate node name", nil, "a block node, 5.2"},
	{Exists, "", "Duplicate nodes with node-name='*'", nil, "a block node"},
	{Exists, "", "Duplicate *ID '*'*", nil, "a device, a netdev"},
	{Exists, "", "attempt to add duplicate property '*' to object (type '*')", nil, "an object, a character device of 5.2"},
	{Exists, "", "Chardev with id '*' already exists", nil, "a character device"},
	{Exists, "", "Job ID '*' already in use", nil, "a job: the name is taken"},
	{Exists, "", "Block export id '*' is already in use", nil, "a block export: the name is taken"},
	{Exists, "", "NBD server already has export named '*'", nil, "a block export"},
	{Exists, "", "NBD server already running", nil, "there can be one"},
	{Exists, "", "Bitmap already exists: *", nil, "a bitmap"},
	{Exists, "", "CPU[*] with APIC ID * exists", nil, "a CPU"},

	{Unsupported, "", "Parameter '*' is unexpected", nil, "an argument that this release does not have"},
	{Unsupported, "", "Parameter '*' does not accept value '*'", nil, "a value that this release does not have"},
	{Unsupported, "", "Invalid parameter '*'", nil, "the same, 5.2"},
	{Unsupported, "", "'*' is not a valid device model name", nil, "a device that this release or build does not have"},
	{Unsupported, "", "invalid object type: *", nil, "an object of object-add, 5.2"},
	{Unsupported, "", "Parameter 'type' expects a netdev backend type", nil, "a netdev, 5.2"},
	{Unsupported, "", "network backend '*' is not compiled into this binary", nil, "a netdev"},
	{Unsupported, "", "Parameter 'uri' expects a valid migration protocol", nil, "a kind of migration, 5.2 and 7.2"},
	{Unsupported, "", "unknown migration protocol: *", nil, "a kind of migration"},
	{Unsupported, "", "*does not support *", nil, "a bus without hot-plug, a format without snapshots"},
	{Unsupported, "", "* is not supported on this target", nil, "a command of other targets, 11.1"},
	{Unsupported, "", "* is not available on this target", nil, "the same"},
}

// Of returns what the refusal in err means; Other if there is none, or if its words are not known.
func Of(err error) Kind {
	e, ok := errors.AsType[*qmp.Error](err)
	if !ok {
		return Other
	}
	for _, r := range refusals {
		if r.fits(e) {
			return r.kind
		}
	}
	return Other
}

func (r refusal) fits(e *qmp.Error) bool {
	class := r.class
	if class == "" {
		class = qmp.ClassGenericError
	}
	return e.Class == class && (r.commands == nil || slices.Contains(r.commands, e.Command)) && Like(e.Desc, r.text)
}

// Like reports whether text is as pattern, in which * stands for any text.
func Like(text, pattern string) bool {
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
