package machine

import (
	"strings"

	"github.com/goqapi/goqapi/qapi"
)

func (m *Machine) memoryCommands() map[string]Handler {
	return map[string]Handler{
		"balloon":                   change(m, m.inflate),
		"query-balloon":             handle(m, m.queryBalloon),
		"query-memory-size-summary": query(m, m.queryMemory),
		"query-memory-devices":      query(m, m.queryMemoryDevices),
		"query-memdev":              query(m, m.queryMemdev),
	}
}

// memory says how much memory the machine has.
const memory = 64 << 20

func (d *device) isBalloon() bool { return strings.HasPrefix(d.driver, "virtio-balloon-") }

// balloon returns the machine's balloon device; it can have only one.
func (m *Machine) balloon() (*device, error) {
	for _, d := range m.devices {
		if d.isBalloon() {
			return d, nil
		}
	}
	return nil, inactive("No balloon device has been activated")
}

// useBalloon refuses a second balloon; a new one has taken nothing yet.
func (m *Machine) useBalloon(d *device) error {
	if _, err := m.balloon(); err == nil {
		return generic("Only one balloon device is supported")
	}
	d.has = memory + m.plugged()
	d.wanted = d.has
	return nil
}

func (m *Machine) inflate(args qapi.BalloonArgs, req Request) error {
	d, err := m.balloon()
	if err != nil {
		return err
	}
	if args.Value <= 0 {
		return generic("Parameter 'value' expects a size")
	}
	d.wanted = min(args.Value, memory+m.plugged())
	m.asksGuestAfter(req, m.balloonMoves)
	return nil
}

// balloonMoves makes a running guest give back the memory that it was asked for, or
// take it.
func (m *Machine) balloonMoves(guest Guest) {
	d, err := m.balloon()
	if err != nil || !m.running() || guest != Obeys || d.has == d.wanted {
		return
	}
	d.has = d.wanted
	m.host.Emit(qapi.BalloonChangeEvent{Actual: d.has})
}

func (m *Machine) queryBalloon(struct{}, Request) (any, error) {
	d, err := m.balloon()
	if err != nil {
		return nil, err
	}
	return qapi.BalloonInfo{Actual: d.has}, nil
}

// backendArgs are the arguments that all memory backends have.
type backendArgs struct {
	Size      uint64              `json:"size"`
	Merge     *bool               `json:"merge"`
	Dump      *bool               `json:"dump"`
	Prealloc  bool                `json:"prealloc"`
	Share     *bool               `json:"share"`
	Reserve   *bool               `json:"reserve"`
	HostNodes []uint16            `json:"host-nodes"`
	Policy    *qapi.HostMemPolicy `json:"policy"`
}

// newMemdev returns an object as a memory backend; nil if it is something else.
func newMemdev(id, kind string, req Request) (*qapi.Memdev, error) {
	shared := kind == "memory-backend-memfd"
	if kind != "memory-backend-ram" && kind != "memory-backend-file" && !shared {
		return nil, nil
	}
	var args backendArgs
	if err := req.Decode(&args); err != nil {
		return nil, err
	}
	if args.Size == 0 {
		return nil, generic("can't create backend with size 0")
	}
	return &qapi.Memdev{
		ID: &id, Size: args.Size, Merge: valueOr(args.Merge, true), Dump: valueOr(args.Dump, true),
		Prealloc: args.Prealloc, Share: valueOr(args.Share, shared), Reserve: new(valueOr(args.Reserve, true)),
		HostNodes: args.HostNodes, Policy: valueOr(args.Policy, qapi.HostMemPolicyDefault),
	}, nil
}

func (m *Machine) queryMemdev() []qapi.Memdev {
	all := []qapi.Memdev{{
		ID: new("pc.ram"), Size: memory, Merge: true, Dump: true, Reserve: new(true), Policy: qapi.HostMemPolicyDefault,
	}}
	for _, o := range m.objects {
		if o.memdev != nil {
			all = append(all, *o.memdev)
		}
	}
	if !m.since("6.1") {
		for i := range all {
			all[i].Share, all[i].Reserve = false, nil // this release does not report it
		}
	}
	return all
}
