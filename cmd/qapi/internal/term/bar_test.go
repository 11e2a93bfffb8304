package term

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// If Show is called very often, the bar is drawn ten times a second, but a new state at once.
func TestBarRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		bar := NewBar(Terminal(&b, 60, 24))
		for range 1000 {
			bar.Show(Progress{Name: "m0", State: "running"})
			time.Sleep(time.Millisecond)
		}
		bar.Show(Progress{Name: "m0", State: "ready"})
		assert.Equal(t, 11, strings.Count(b.String(), "\r"))
		assert.True(t, strings.HasSuffix(b.String(), "ready\x1b[K"))
		b.Reset()
		bar.End()
		bar.End()
		assert.Equal(t, "\r\x1b[K", b.String())
	})
}

// A rate that was measured only for a moment has no meaning.
func TestBarSettles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		bar := NewBar(Terminal(&b, 80, 24))
		p := Progress{Name: "m0", Total: 1 << 30, Rate: 1 << 40, Left: time.Second}
		bar.Show(p)
		assert.NotContains(t, b.String(), "left")
		time.Sleep(settled)
		bar.Show(p)
		assert.Contains(t, b.String(), "1.0 TiB/s  1s left")
	})
}
