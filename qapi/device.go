package qapi

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/goqapi/goqapi/qmp/codec"
)

// DeviceArgs returns a device as [DeviceAddArgs], with the properties that
// [Client.DeviceAdd] would send: those that are set. It returns an error for a device that
// DeviceAdd refuses to send.
func DeviceArgs(dev Device) (DeviceAddArgs, error) {
	var args DeviceAddArgs
	text, err := codec.Marshal(deviceArguments(dev, false))
	if err == nil {
		err = args.UnmarshalJSON(text)
	}
	if err != nil {
		if sem, ok := errors.AsType[*json.SemanticError](err); ok && sem.Err != nil && sem.JSONPointer == "" {
			err = sem.Err // the JSON module's text about our own type does not help the user
		}
		return DeviceAddArgs{}, fmt.Errorf("qapi: device: %w", err)
	}
	return args, nil
}

// Device returns the processor that fills the place, for [Client.DeviceAdd]. Without an id
// it cannot be unplugged. Properties that differ from the machine's default can be added to
// its Props.
func (x HotpluggableCPU) Device(id string) DeviceAddArgs {
	var dev DeviceAddArgs
	if text, err := codec.Marshal(x.Props); err == nil { // integers always encode
		_ = dev.UnmarshalJSON(text)
	}
	delete(dev.Props, "node-id") // the machine knows it
	dev.Driver = x.Type
	if id != "" {
		dev.ID = &id
	}
	return dev
}
