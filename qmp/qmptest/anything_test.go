package qmptest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/internal/short"
	"github.com/goqapi/goqapi/internal/wiretest"
	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptest"
	"github.com/goqapi/goqapi/schema"
	"github.com/goqapi/goqapi/schema/qemu"
)

// renamed replaces strings of a sample by names that things in the machine may have.
func renamed(r *rand.Rand, v any) any {
	names := []string{"a", "b", "c", "cd0", "scsi0", "j", "/machine/peripheral/a", "/machine", "null-co", "scsi-hd", "pci.0"}
	switch v := v.(type) {
	case map[string]any:
		for name, each := range v {
			v[name] = renamed(r, each)
		}
	case []any:
		for i, each := range v {
			v[i] = renamed(r, each)
		}
	case string:
		if v == "ide0" || v == "" || v == "a b" {
			return names[r.IntN(len(names))]
		}
	}
	return v
}

// Whatever clients ask the machine to do, its replies and events fit the schema.
func TestMachineTakesAnything(t *testing.T) {
	for _, release := range short.Ends(qemu.Releases()) {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			s, err := qemu.Load(release, qemu.QMP)
			require.NoError(t, err)
			random := rand.New(rand.NewPCG(1, 2))
			sampler := &wiretest.Sampler{Rand: random}
			srv := qmptest.Start(t, qmptest.Release(release))
			conn, err := srv.Dial(t.Context())
			require.NoError(t, err)
			defer conn.Close()
			var commands []*schema.Command
			ending := []string{"quit", "system_powerdown", "set-action"} // the last has system_reset do it
			for _, c := range s.Commands() {
				if srv.Handler(c.Name) != nil && !slices.Contains(ending, c.Name) {
					commands = append(commands, c)
				}
			}
			done := map[bool]int{}
			for i := range 1500 {
				c := commands[random.IntN(len(commands))]
				if i%2 == 0 { // more of these, since the other commands need what they make
					c = s.Lookup([]string{"blockdev-add", "device_add", "object-add", "blockdev-mirror", "blockdev-backup"}[random.IntN(5)]).(*schema.Command)
				}
				sampler.Optional = random.Float64() / 2
				var args any
				if c.Args != nil {
					args = renamed(random, sampler.Sample(c.Args))
				}
				if c.Name == "device_add" {
					args.(map[string]any)["drive"] = "a"
				}
				err := conn.Execute(t.Context(), c.Name, args, nil)
				var refused *qmp.Error
				if err != nil && !errors.As(err, &refused) {
					text, _ := json.Marshal(args)
					require.NoError(t, err, "%s %s", c.Name, text)
				}
				done[err == nil]++
			}
			assert.Greater(t, done[true], 100, fmt.Sprint(done))
			t.Logf("%d commands succeeded, %d failed", done[true], done[false])
		})
	}
}
