package machine

import (
	"cmp"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/goqapi/goqapi/qapi"
)

// An export lets others read or write a node. Here nobody does.
type export struct {
	id       string
	kind     qapi.BlockExportType
	name     string // of NBD's
	node     *node
	writable bool
	bitmaps  []string // of the node
}

func (m *Machine) exportCommands() map[string]Handler {
	return map[string]Handler{
		"nbd-server-start":    change(m, m.startNBD),
		"nbd-server-stop":     change(m, m.stopNBD),
		"nbd-server-add":      change(m, m.addNBD),
		"nbd-server-remove":   change(m, m.removeNBD),
		"block-export-add":    change(m, m.addExport),
		"block-export-del":    change(m, m.delExport),
		"query-block-exports": query(m, m.queryExports),
	}
}

func (m *Machine) startNBD(args qapi.NBDServerOptionsLegacy, _ Request) error {
	switch creds := value(args.TLSCreds); {
	case m.nbd:
		return generic("NBD server already running")
	case args.TLSCreds != nil && m.object(creds) == nil:
		return generic("No TLS credentials with id '%s'", creds)
	}
	m.nbd = true
	return nil
}

func (m *Machine) stopNBD(struct{}, Request) error {
	if !m.nbd {
		return generic("NBD server not running")
	}
	m.nbd = false
	for _, e := range slices.Clone(m.exports) {
		if e.kind == qapi.BlockExportTypeNBD {
			m.endExport(e)
			m.host.Emit(qapi.BlockExportDeletedEvent{ID: e.id})
		}
	}
	return nil
}

// exportArgs are the arguments of block-export-add that have an effect here.
type exportArgs struct {
	Type     qapi.BlockExportType `json:"type"`
	ID       string               `json:"id"`
	NodeName string               `json:"node-name"`
	Writable bool                 `json:"writable"`
	Name     string               `json:"name"`
	Bitmaps  []bitmapName         `json:"bitmaps"`
}

// A bitmapName is the name of a bitmap, without or with that of its node.
type bitmapName string

func (b *bitmapName) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	if dec.PeekKind() == '"' {
		return json.UnmarshalDecode(dec, (*string)(b))
	}
	var whole qapi.BlockDirtyBitmap
	err := json.UnmarshalDecode(dec, &whole)
	*b = bitmapName(whole.Name)
	return err
}

func (m *Machine) addExport(args exportArgs, _ Request) error {
	switch {
	case !wellFormed(args.ID):
		return generic("Invalid block export id")
	case m.export(args.ID) != nil:
		return generic("Block export id '%s' is already in use", args.ID)
	}
	n, err := m.lookup(args.NodeName)
	if err != nil {
		return err
	}
	if n.readOnly && args.Writable {
		return generic("Cannot export read-only node as writable")
	}
	if user := m.writer(n); user != nil && args.Writable && user.props["share-rw"] != true {
		return conflict(n, user)
	}
	e := &export{id: args.ID, kind: args.Type, node: n, writable: args.Writable}
	if e.kind == qapi.BlockExportTypeNBD {
		e.name = cmp.Or(args.Name, n.name)
		if err := m.checkNBD(e); err != nil {
			return err
		}
		for _, name := range args.Bitmaps {
			if err := m.exportBitmap(e, string(name)); err != nil {
				return err
			}
		}
	}
	m.exports = append([]*export{e}, m.exports...)
	return nil
}

func (m *Machine) checkNBD(e *export) error {
	switch {
	case !m.nbd:
		return generic("NBD server not running")
	case slices.ContainsFunc(m.exports, func(other *export) bool { return other.kind == e.kind && other.name == e.name }):
		return generic("NBD server already has export named '%s'", e.name)
	}
	return nil
}

// exportBitmap lets the clients of an export read a bitmap.
func (m *Machine) exportBitmap(e *export, name string) error {
	i := slices.IndexFunc(e.node.bitmaps, func(b bitmap) bool { return b.name == name })
	if i < 0 {
		return generic("Bitmap '%s' is not found", name)
	}
	if _, _, err := m.bitmap(e.node.name, name); err != nil {
		return err
	}
	if !e.writable && !e.node.bitmaps[i].disabled {
		return generic("Enabled bitmap '%s' incompatible with readonly export", name)
	}
	e.bitmaps = append(e.bitmaps, name)
	return nil
}

// exporting reports whether an export uses a bitmap.
func (m *Machine) exporting(n *node, name string) bool {
	return slices.ContainsFunc(m.exports, func(e *export) bool { return e.node == n && slices.Contains(e.bitmaps, name) })
}

// exported reports whether there is an export of a node.
func (m *Machine) exported(n *node) bool {
	return slices.ContainsFunc(m.exports, func(e *export) bool { return e.node == n })
}

func (m *Machine) addNBD(args qapi.NBDServerAddOptions, req Request) error {
	n, err := m.lookup(args.Device)
	if err != nil {
		return err
	}
	name := valueOr(args.Name, args.Device)
	e := exportArgs{
		Type: qapi.BlockExportTypeNBD, ID: name, NodeName: n.name, Name: name,
		Writable: value(args.Writable) && !n.readOnly,
	}
	if args.Bitmap != nil {
		e.Bitmaps = []bitmapName{bitmapName(*args.Bitmap)}
	}
	if err := m.checkNBD(&export{kind: e.Type, name: e.Name}); err != nil {
		return err
	}
	return m.addExport(e, req)
}

func (m *Machine) removeNBD(args qapi.NBDServerRemoveArgs, req Request) error {
	return m.delExport(qapi.BlockExportDelArgs{ID: args.Name}, req)
}

func (m *Machine) export(id string) *export {
	if i := slices.IndexFunc(m.exports, func(e *export) bool { return e.id == id }); i >= 0 {
		return m.exports[i]
	}
	return nil
}

func (m *Machine) delExport(args qapi.BlockExportDelArgs, req Request) error {
	e := m.export(args.ID)
	if e == nil {
		return generic("Export '%s' is not found", args.ID)
	}
	m.endExport(e)
	m.emitEarly(req, qapi.BlockExportDeletedEvent{ID: e.id})
	return nil
}

func (m *Machine) endExport(e *export) {
	m.exports = slices.DeleteFunc(m.exports, func(other *export) bool { return other == e })
	m.dropNode(e.node)
}

func (m *Machine) queryExports() []qapi.BlockExportInfo {
	all := []qapi.BlockExportInfo{}
	for _, e := range m.exports {
		all = append(all, qapi.BlockExportInfo{ID: e.id, Type: e.kind, NodeName: e.node.name})
	}
	return all
}
