package hotplug

import (
	"fmt"

	"github.com/goqapi/goqapi/qapi"
)

// The sources of a report of _OST, of the ACPI specification: what a guest was asked.
const (
	ostEjectRequest    = 3     // by the machine
	ostEjectProcessing = 0x103 // by the guest's own user
)

// ejections are the states in which a guest does not eject a device, as the ACPI
// specification numbers them. 0 is success, 0x84 that it is at it.
var ejections = map[int64]string{
	1:    "failure",
	2:    "it does not know such a request",
	0x80: "the device is locked",
	0x81: "the device is in use",
	0x82: "the device is busy",
	0x83: "a device that it depends on is busy",
}

// isEjectedCPU reports whether a guest has let go of the processor that was in a slot.
func isEjectedCPU(slot qapi.ACPIOSTInfo) bool {
	asked := slot.Source == ostEjectRequest || slot.Source == ostEjectProcessing
	return slot.SlotType == qapi.ACPISlotTypeCPU && slot.Device == nil && asked && slot.Status == 0
}

// ejection is why a guest does not eject a device, if that is what its report says.
func ejection(info qapi.ACPIOSTInfo) string {
	if info.Source != ostEjectRequest && info.Source != ostEjectProcessing {
		return ""
	}
	reason := ejections[info.Status]
	if reason == "" {
		return ""
	}
	return fmt.Sprintf("%s (ACPI status %d)", reason, info.Status)
}
