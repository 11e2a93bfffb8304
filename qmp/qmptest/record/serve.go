package record

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"

	"github.com/goqapi/goqapi/internal/address"
)

// Serve records the session of a client that is another program. It accepts one client
// from l, connects it to the server at target, passes on the data of both, and writes the
// recording to w as [Stream] does. It returns nil when one of them has left. target is
// an address such as unix:/run/vm/qmp.sock or tcp:localhost:4444, written as for
// [qmp.Dial]. The session ends with ctx. Serve closes l.
func Serve(ctx context.Context, l net.Listener, target string, w io.Writer) error {
	to, err := address.ParseStream(target)
	if err != nil {
		l.Close()
		return fmt.Errorf("record: connect: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { l.Close() })
	theirs, err := l.Accept()
	stop()
	l.Close() // one session, one recording
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return fmt.Errorf("record: wait for a client: %w", err)
	}
	defer theirs.Close()
	network, where := to.Net()
	ours, err := new(net.Dialer).DialContext(ctx, network, where)
	if err != nil {
		return fmt.Errorf("record: connect to %s: %w", target, err)
	}
	recorded := Stream(ours, w)
	end := func() {
		theirs.Close()
		recorded.Close() // its error is returned below
	}
	stop = context.AfterFunc(ctx, end)
	var pumps sync.WaitGroup
	pump := func(to io.Writer, from io.Reader) {
		_, _ = io.Copy(to, from) // its error does not matter
		end()
	}
	pumps.Go(func() { pump(recorded, theirs) })
	pumps.Go(func() { pump(theirs, recorded) })
	pumps.Wait()
	if !stop() {
		return fmt.Errorf("record: the session was cut: %w", ctx.Err())
	}
	return recorded.(*stream).tape.failure()
}
