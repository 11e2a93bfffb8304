package qmp

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestDefaultTimeout: which limit a call has. Zero: none but the context's.
func TestDefaultTimeout(t *testing.T) {
	tests := []struct {
		command string
		with    []CallOption
		want    time.Duration
	}{
		{"query-status", nil, time.Second},
		{"blockdev-add", nil, time.Minute},
		{"blockdev-del", nil, time.Minute},
		{"migrate", nil, 0},
		{"query-status", []CallOption{Timeout(3 * time.Second)}, 3 * time.Second},
		{"blockdev-add", []CallOption{Timeout(0)}, 0},
	}
	for _, test := range tests {
		ways := map[string]func(context.Context, *Conn) error{
			"Execute": func(ctx context.Context, c *Conn) error { return c.Execute(ctx, test.command, nil, nil) },
			"ExecuteNoReply": func(ctx context.Context, c *Conn) error {
				return c.ExecuteNoReply(ctx, test.command, nil)
			},
			"Go": func(ctx context.Context, c *Conn) error {
				done := make(chan error)
				c.Go(ctx, test.command, nil, nil, func(err error) { done <- err })
				return <-done
			},
		}
		for name, issue := range ways {
			bubble(t, func(t *testing.T, p pair) {
				const most = time.Hour
				ctx, cancel := context.WithTimeout(t.Context(), most)
				defer cancel()
				want, begin := test.want, time.Now()
				if want == 0 {
					want = most
				}
				err := issue(ctx, p.With(test.with...))
				assert.Equal(t, want, time.Since(begin), "%s of %s", name, test.command)
				assert.ErrorIs(t, err, context.DeadlineExceeded, "%s of %s", name, test.command)
			}, WithTimeout(time.Second), WithTimeoutOf(time.Minute, "blockdev-add", "blockdev-del"), WithTimeoutOf(0, "migrate"))
		}
	}
}
