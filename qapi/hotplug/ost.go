package hotplug

import (
	"fmt"

	"github.com/goqapi/goqapi/qapi"
)

// Sources of an _OST report, by the ACPI specification: who asked the guest to eject a device.
const (
	ostEjectRequest    = 3     // the machine
	ostEjectProcessing = 0x103 // the guest's own user
)

// ejections are the status codes of the ACPI specification for a guest that does not eject
// a device. The code 0 means success, and 0x84 that the ejection is in progress.
var ejections = map[int64]string{
	1:    "failure",
	2:    "it does not know such a request",
	0x80: "the device is locked",
	0x81: "the device is in use",
	0x82: "the device is busy",
	0x83: "a device that it depends on is busy",
}

// isEjectedCPU reports whether a guest has released the processor that was in a slot.
func isEjectedCPU(slot qapi.ACPIOSTInfo) bool {
	asked := slot.Source == ostEjectRequest || slot.Source == ostEjectProcessing
	return slot.SlotType == qapi.ACPISlotTypeCPU && slot.Device == nil && asked && slot.Status == 0
}

// ejection returns why a guest does not eject a device; "" if its report does not say that.
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
