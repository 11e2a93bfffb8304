package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/corpus"
	"github.com/goqapi/goqapi/internal/qemutest"
	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/schema/qemu"
)

// A comparison walks two replies to query-qmp-schema at the same time, from commands
// and events down, since the names of types are generated, and differ.
type comparison struct {
	real, fake map[string]map[string]any
	seen       map[[2]string]bool
	differ     []string
}

func byName(t *testing.T, text []byte) map[string]map[string]any {
	t.Helper()
	var list []map[string]any
	require.NoError(t, json.Unmarshal(text, &list))
	all := map[string]map[string]any{}
	for _, e := range list {
		all[e["name"].(string)] = e
	}
	return all
}

func (c *comparison) entity(path, real, fake string) {
	if c.seen[[2]string{real, fake}] {
		return
	}
	c.seen[[2]string{real, fake}] = true
	r, f := c.real[real], c.fake[fake]
	for _, key := range []string{"meta-type", "features", "values", "tag", "json-type", "allow-oob"} {
		c.same(path+" "+key, r[key], f[key])
	}
	for _, key := range []string{"arg-type", "ret-type", "element-type"} {
		c.types(path+"/"+key, r[key], f[key])
	}
	rm, _ := r["members"].([]any)
	fm, _ := f["members"].([]any)
	if r["meta-type"] == "alternate" {
		c.same(path+" members", len(rm), len(fm))
		for i := range min(len(rm), len(fm)) {
			c.types(fmt.Sprint(path, "/", i), rm[i].(map[string]any)["type"], fm[i].(map[string]any)["type"])
		}
		return
	}
	c.members(path, "name", rm, fm)
	rv, _ := r["variants"].([]any)
	fv, _ := f["variants"].([]any)
	c.members(path, "case", rv, fv)
}

func (c *comparison) members(path, by string, real, fake []any) {
	index := func(list []any) map[string]map[string]any {
		all := map[string]map[string]any{}
		for _, m := range list {
			m := m.(map[string]any)
			all[m[by].(string)] = m
		}
		return all
	}
	r, f := index(real), index(fake)
	c.same(path+" "+by+"s", slices.Sorted(maps.Keys(r)), slices.Sorted(maps.Keys(f)))
	for name := range r {
		if f[name] == nil {
			continue
		}
		c.same(path+"/"+name+" features", r[name]["features"], f[name]["features"])
		_, ro := r[name]["default"]
		_, fo := f[name]["default"]
		c.same(path+"/"+name+" optional", ro, fo)
		c.types(path+"/"+name, r[name]["type"], f[name]["type"])
	}
}

func (c *comparison) types(path string, real, fake any) {
	r, _ := real.(string)
	f, _ := fake.(string)
	if r != "" || f != "" {
		c.entity(path, r, f)
	}
}

func (c *comparison) same(what string, real, fake any) {
	if !assert.ObjectsAreEqual(real, fake) {
		c.differ = append(c.differ, fmt.Sprintf("%s: QEMU has %v, the fake %v", what, real, fake))
	}
}

// sameInterface compares a real reply to query-qmp-schema with ours. QEMU's may
// have types that nothing uses; ours has none that is not in QEMU's.
func sameInterface(t *testing.T, r *Release, real []byte) {
	t.Helper()
	c := &comparison{byName(t, real), byName(t, r.Introspect()), map[[2]string]bool{}, nil}
	for _, side := range []map[string]map[string]any{c.real, c.fake} {
		for _, name := range slices.Sorted(maps.Keys(side)) {
			if meta := side[name]["meta-type"]; meta == "command" || meta == "event" {
				c.entity(name, name, name)
			}
		}
	}
	assert.Empty(t, c.differ)
	reached := map[string]bool{}
	for pair := range c.seen {
		reached[pair[1]] = true
	}
	assert.Len(t, reached, len(c.fake), "of the elements that ours has")
}

func loadQMP(t testing.TB, name string) *Release {
	t.Helper()
	r, err := Load(name, qemu.QMP)
	require.NoError(t, err)
	return r
}

func TestIntrospectionEqualsQEMUs(t *testing.T) {
	for _, name := range []string{"7.2", "10.0"} {
		t.Run(name, func(t *testing.T) {
			var reply struct{ Return json.RawMessage }
			require.NoError(t, json.Unmarshal([]byte(corpus.Read(t, "captures", name, "query-qmp-schema.json")), &reply))
			sameInterface(t, loadQMP(t, name), reply.Return)
		})
	}
}

// A server's reply to query-qmp-schema fits the schema. This test is needed since the server does not check that reply.
func TestIntrospectionFits(t *testing.T) {
	for _, name := range short.Ends(qemu.Releases()) {
		r := loadQMP(t, name)
		text, err := r.Reply(r.Command("query-qmp-schema"), Value{JSON: r.Introspect()})
		require.NoError(t, err, name)
		assert.Equal(t, string(r.Introspect()), string(text), name)
	}
}

// TestQEMUIntrospects compares our reply to query-qmp-schema with that of each real release.
func TestQEMUIntrospects(t *testing.T) {
	qemutest.Each(t, func(t *testing.T, q qemutest.QEMU) {
		conn, err := qmp.NewConn(t.Context(), q.Start(t, "-qmp"))
		require.NoError(t, err)
		defer conn.Close()
		v := conn.Greeting().Version
		r := loadQMP(t, Nearest(fmt.Sprintf("%d.%d", v.Major, v.Minor)))
		var real json.RawMessage
		require.NoError(t, conn.Execute(t.Context(), "query-qmp-schema", nil, &real))
		sameInterface(t, r, real)

		var list []struct {
			Name string `json:"name"`
		}
		require.NoError(t, conn.Execute(t.Context(), "query-commands", nil, &list))
		var names []string
		for _, c := range list {
			names = append(names, c.Name)
		}
		slices.Sort(names)
		assert.Equal(t, names, r.Commands())
	})
}
