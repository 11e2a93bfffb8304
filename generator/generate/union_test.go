package generate

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// Two releases of a schema in which everything was renamed.
const (
	release1 = `
{ 'enum': 'ColorName', 'data': [ 'red', 'gone' ] }
{ 'struct': 'PointInfo', 'data': { 'x': 'int', 'color': 'ColorName' } }
{ 'struct': 'RoundOptions', 'data': { 'radius': 'int' } }
{ 'struct': 'SquareOptions', 'data': { 'side': 'int', 'at': 'PointInfo' } }
{ 'union': 'FormOptions', 'base': { 'kind': 'FormKind', '*old': 'str' }, 'discriminator': 'kind',
  'data': { 'round': 'RoundOptions', 'square': 'SquareOptions' } }
{ 'enum': 'FormKind', 'data': [ 'round', 'square', 'none' ] }
{ 'alternate': 'PointOrName', 'data': { 'name': 'str', 'point': 'PointInfo' } }
{ 'command': 'draw', 'data': { 'form': 'FormOptions', 'at': 'PointOrName', '*also': [ 'FormOptions' ] } }
{ 'command': 'move', 'data': { 'by': 'int', '*slowly': 'bool' } }
{ 'command': 'query-points', 'returns': [ 'PointInfo' ] }
`
	release2 = `
{ 'enum': 'Color', 'data': [ 'red', 'blue' ] }
{ 'struct': 'Point', 'data': { 'x': 'int', 'color': 'Color', 'y': 'int' } }
{ 'struct': 'Round', 'data': { 'radius': 'int' } }
{ 'struct': 'Square', 'data': { 'side': 'int', 'at': 'Point' } }
{ 'union': 'Form', 'base': { 'kind': 'FormKind' }, 'discriminator': 'kind',
  'data': { 'round': 'Round', 'square': 'Square' } }
{ 'enum': 'FormKind', 'data': [ 'round', 'square', 'oval' ] }
{ 'alternate': 'PointOrString', 'data': { 'name': 'str', 'point': 'Point' } }
{ 'command': 'draw', 'data': { 'form': 'Form', 'at': 'PointOrString', '*also': [ 'Form' ] } }
{ 'struct': 'Move', 'data': { 'by': 'int' } }
{ 'command': 'move', 'data': 'Move' }
{ 'command': 'query-points', 'returns': [ 'Point' ], 'data': { '*color': 'Color' } }
`
	// program compiles with the names of both releases, which are of the same types.
	program = `package both

import (
	"context"
	"encoding/json"
	"testing"
)

func use(ctx context.Context, c *Client) {
	var color ColorName = ColorRed
	var point PointInfo = Point{X: 1, Color: color}
	var round FormOptionsRound = FormRound{Radius: 1}
	var variant FormOptionsVariant = round
	var form FormOptions = Form{Kind: variant, Old: new("x")}
	var at PointOrName = point
	_ = c.Draw(ctx, DrawArgs{Form: form, At: at, Also: []FormOptions{{Kind: FormOptionsSquare{At: point}}, {Kind: FormNone{}}, {Kind: FormOval{}}}})
	_ = c.Move(ctx, MoveArgs{By: 1, Slowly: new(true)})
	points, _ := c.QueryPoints(ctx)
	points, _ = c.QueryPoints(ctx, QueryPointsArgs{Color: new(ColorNameGone)})
	var _ []PointInfo = points
}

func TestBoth(t *testing.T) {
	got, err := json.Marshal(DrawArgs{Form: FormOptions{Kind: FormOptionsRound{Radius: 2}}, At: PointOrString(Str("p"))})
	if want := ` + "`" + `{"form":{"kind":"round","radius":2},"at":"p"}` + "`" + `; err != nil || string(got) != want {
		t.Errorf("%s, not %s (%v)", got, want, err)
	}
}
`
)

// TestOlderNames compiles a program that uses the names of an older release together with
// those of the newest.
func TestOlderNames(t *testing.T) {
	if testing.Short() {
		t.Skip("short: it compiles a package and its test")
	}
	dir := userModule(t)
	args := []string{"-package", "both", "-out", filepath.Join(dir, "both")}
	for i, text := range []string{release1, release2} {
		root := filepath.Join(t.TempDir(), "q")
		require.NoError(t, os.MkdirAll(filepath.Join(root, "qapi"), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(root, "VERSION"), []byte([]string{"1.1.0\n", "1.2.0\n"}[i]), 0o666))
		file := filepath.Join(root, "qapi", "schema.json")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o666))
		args = append(args, "-schema", file)
	}
	require.NoError(t, Run("generator", args, new(bytes.Buffer), new(bytes.Buffer)))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "both", "both_test.go"), []byte(program), 0o666))
	for _, what := range []string{"vet", "test"} {
		cmd := exec.Command("go", what, "./both")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}
