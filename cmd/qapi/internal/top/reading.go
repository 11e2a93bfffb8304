// Package top shows what machines are doing: processors, disks, network, memory.
package top

import (
	"time"

	"github.com/goqapi/goqapi/qapi/disk"
)

// A Reading is what a machine has done in one interval. Its JSON is what qapi top --json prints.
type Reading struct {
	VM    string    `json:"vm"`
	Time  time.Time `json:"time"`
	Error string    `json:"error,omitempty"` // why the machine could not be read
	Code  int       `json:"-"`               // the exit code for the error
	PID   int       `json:"pid,omitempty"`   // if the machine runs on this host

	State  string   `json:"state,omitempty"`
	VCPUs  int      `json:"vcpus,omitempty"`
	CPU    *float64 `json:"cpu,omitempty"` // of all vCPUs together: 100 means one vCPU that is always busy
	Memory int64    `json:"memory,omitempty"`
	// Balloon is how much of the memory the guest has left; nil if it has no balloon.
	Balloon *int64 `json:"balloon,omitempty"`

	Devices  []Device  `json:"devices,omitempty"`
	Networks []Network `json:"networks,omitempty"`
}

// A Device is the work of a disk.
type Device struct {
	Name  string `json:"device"`
	Node  string `json:"node,omitempty"`
	Read  Rate   `json:"read"`
	Write Rate   `json:"write"`
	Flush Rate   `json:"flush"`
}

// A Rate says how many requests of one kind there were.
type Rate struct {
	Bytes    float64 `json:"bytes_per_second"`
	Requests float64 `json:"requests_per_second"`
	Latency  float64 `json:"latency_ms"`
}

func rateOf(r disk.Rate) Rate {
	return Rate{r.Bytes, r.Requests, float64(r.Latency.Microseconds()) / 1000}
}

func devicesOf(list []disk.DeviceRates) []Device {
	var devices []Device
	for _, d := range list {
		devices = append(devices, Device{d.Device, d.Node, rateOf(d.Read), rateOf(d.Write), rateOf(d.Flush)})
	}
	return devices
}

// A Network is the traffic that the guest has received and sent through a tap interface of the
// host.
type Network struct {
	Interface string  `json:"interface"`
	Received  float64 `json:"received_bytes_per_second"`
	Sent      float64 `json:"sent_bytes_per_second"`
}

// total adds up the rates of all devices.
func (r *Reading) total() (read, write Rate) {
	for _, d := range r.Devices {
		read.Bytes, read.Requests = read.Bytes+d.Read.Bytes, read.Requests+d.Read.Requests
		write.Bytes, write.Requests = write.Bytes+d.Write.Bytes, write.Requests+d.Write.Requests
	}
	return read, write
}
