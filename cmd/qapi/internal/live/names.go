package live

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/goqapi/goqapi/cmd/qapi/internal/complete"
	"github.com/goqapi/goqapi/qapi"
)

// Limit is how long a server may take to return names. A user who types does not wait longer.
const Limit = 500 * time.Millisecond

// Names returns the names in a server. The server is only queried, never changed. It
// implements complete.Live.
type Names struct {
	client *qapi.Client

	mu    sync.Mutex
	known map[question]answer
}

type question struct {
	kind complete.Kind
	of   string
}

type answer struct {
	names []string
	until time.Time
}

// fresh is how long an answer is used again: a list of candidates is often asked for several times
// while a word is being typed.
const fresh = time.Second

// Of returns the names of a server.
func Of(client *qapi.Client) *Names {
	return &Names{client: client, known: map[question]answer{}}
}

// Names returns the names of a kind. For a server that does not answer in time, the result is nil,
// and the server is not asked again for a while.
func (n *Names) Names(ctx context.Context, kind complete.Kind, of string) []string {
	q := question{kind, of}
	n.mu.Lock()
	a, ok := n.known[q]
	n.mu.Unlock()
	if ok && time.Now().Before(a.until) {
		return a.names
	}
	ctx, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	names := n.ask(ctx, kind, of)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) > 100 {
		clear(n.known)
	}
	n.known[q] = answer{names, time.Now().Add(fresh)}
	return names
}

// Forget forgets the answers: a command may have changed them.
func (n *Names) Forget() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.known)
}

// ask returns the server's answer. After an error, there are no names.
func (n *Names) ask(ctx context.Context, kind complete.Kind, of string) []string {
	c := n.client
	switch kind {
	case complete.Node:
		return n.nodes(ctx)
	case complete.Block:
		return append(n.nodes(ctx), n.drives(ctx)...)
	case complete.Bitmap:
		return n.bitmaps(ctx, of)
	case complete.Job:
		return n.jobs(ctx)
	case complete.Export:
		list, _ := c.QueryBlockExports(ctx)
		return each(list, func(e qapi.BlockExportInfo) string { return e.ID })
	case complete.Chardev:
		list, _ := c.QueryChardev(ctx)
		return each(list, func(d qapi.ChardevInfo) string { return d.Label })
	case complete.IOThread:
		list, _ := c.QueryIothreads(ctx)
		return each(list, func(t qapi.IOThreadInfo) string { return t.ID })
	case complete.Audiodev:
		list, _ := c.QueryAudiodevs(ctx)
		return each(list, func(d qapi.Audiodev) string { return d.ID })
	case complete.TPM:
		list, _ := c.QueryTPM(ctx)
		return each(list, func(t qapi.TPMInfo) string { return t.ID })
	case complete.Device:
		return n.children(ctx, "/machine/peripheral")
	case complete.Object:
		return n.children(ctx, "/objects")
	case complete.Netdev:
		return n.backends(ctx)
	case complete.NIC:
		return append(n.backends(ctx), n.children(ctx, "/machine/peripheral")...)
	}
	return n.askTypes(ctx, kind, of)
}

// askTypes returns names of types, or of their properties.
func (n *Names) askTypes(ctx context.Context, kind complete.Kind, of string) []string {
	switch kind {
	case complete.DeviceType:
		return n.types(ctx, "device")
	case complete.ObjectType:
		return n.types(ctx, "user-creatable")
	case complete.Property:
		list, _ := n.client.DeviceListProperties(ctx, qapi.DeviceListPropertiesArgs{Typename: of})
		return each(list, func(p qapi.ObjectPropertyInfo) string { return p.Name })
	case complete.QOMPath:
		return n.below(ctx, of)
	case complete.QOMProperty:
		list, _ := n.client.QOMList(ctx, qapi.QOMListArgs{Path: of})
		return each(list, func(p qapi.ObjectPropertyInfo) string { return p.Name })
	}
	return nil
}

// each returns the names of the elements that have one.
func each[E any](list []E, name func(E) string) []string {
	var names []string
	for _, e := range list {
		if s := name(e); s != "" {
			names = append(names, s)
		}
	}
	return names
}

func (n *Names) nodeInfos(ctx context.Context) []qapi.BlockDeviceInfo {
	list, _ := n.client.QueryNamedBlockNodes(ctx, qapi.QueryNamedBlockNodesArgs{Flat: new(true)})
	return list
}

func (n *Names) nodes(ctx context.Context) []string {
	return each(n.nodeInfos(ctx), func(i qapi.BlockDeviceInfo) string { return i.NodeName })
}

func (n *Names) drives(ctx context.Context) []string {
	list, _ := n.client.QueryBlock(ctx)
	return each(list, func(i qapi.BlockInfo) string { return i.Device })
}

// bitmaps returns the dirty bitmaps of a node, or of all if none is given.
func (n *Names) bitmaps(ctx context.Context, node string) []string {
	var names []string
	for _, i := range n.nodeInfos(ctx) {
		if node == "" || node == i.NodeName {
			names = append(names, each(i.DirtyBitmaps, func(b qapi.BlockDirtyInfo) string { return qapi.Value(b.Name) })...)
		}
	}
	return names
}

// jobs returns all jobs: in older releases, the jobs of block devices were a kind of their own.
func (n *Names) jobs(ctx context.Context) []string {
	list, _ := n.client.QueryJobs(ctx)
	return each(list, func(j qapi.JobInfo) string { return j.ID })
}

func (n *Names) types(ctx context.Context, parent string) []string {
	list, _ := n.client.QOMListTypes(ctx, qapi.QOMListTypesArgs{Implements: &parent, Abstract: new(false)})
	return each(list, func(t qapi.ObjectTypeInfo) string { return t.Name })
}

// children returns the names of the children of an object.
func (n *Names) children(ctx context.Context, path string) []string {
	list, _ := n.client.QOMList(ctx, qapi.QOMListArgs{Path: path})
	return each(list, func(p qapi.ObjectPropertyInfo) string {
		if strings.HasPrefix(p.Type, "child<") {
			return p.Name
		}
		return ""
	})
}

// below returns the names of the children of an object, each with "/" after it, since it can have
// children too. The path is empty or ends in "/".
func (n *Names) below(ctx context.Context, path string) []string {
	if path == "" {
		return []string{"/"}
	}
	list, _ := n.client.QOMList(ctx, qapi.QOMListArgs{Path: "/" + strings.Trim(path, "/")})
	return each(list, func(p qapi.ObjectPropertyInfo) string {
		if strings.HasPrefix(p.Type, "child<") {
			return p.Name + "/"
		}
		return ""
	})
}

// backends returns the network backends: lines such as "net0: index=0,type=user,…", which
// begin with a backslash if a card is listed before its backend.
func (n *Names) backends(ctx context.Context) []string {
	text, _ := n.client.HumanMonitorCommand(ctx, qapi.HumanMonitorCommandArgs{CommandLine: "info network"})
	var names []string
	for line := range strings.Lines(text) {
		name, rest, ok := strings.Cut(strings.TrimLeft(line, " \\"), ": index=")
		if ok && !strings.Contains(rest, "type=nic") && !strings.Contains(name, " ") {
			names = append(names, name)
		}
	}
	return names
}
