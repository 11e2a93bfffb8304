package qmp

import (
	"io"
	"sync"
)

// batchSize is about how many bytes of requests are gathered into one write.
const batchSize = 16 << 10

// A writer writes requests to the stream, one write at a time. A caller writes on its
// own goroutine as long as it does not have to wait; the rest is written by a goroutine
// that runs while there is something to write.
type writer struct {
	mu     *sync.Mutex // the session's; guards busy, and while busy is false also the other fields
	rw     io.ReadWriteCloser
	gather func()      // appends to out what may be sent now; called with mu held
	failed func(error) // called, without mu, when nothing can be written any more

	busy   bool  // a goroutine writes, and uses out
	broken bool  // nothing can be written any more
	done   int64 // how many bytes were written before out; once broken is set, how many in all
	out    []byte
	from   int   // how much of out has been written already
	fds    []int // to be passed with the first byte of out; the writer closes them
	try    *nonblockingWriter
	loop   func() // the method value w.run, made once: each go statement would allocate it again
}

func (w *writer) init(mu *sync.Mutex, rw io.ReadWriteCloser, gather func(), failed func(error)) {
	w.mu, w.rw, w.gather, w.failed = mu, rw, gather, failed
	w.try = newNonblockingWriter(rw)
	w.loop = w.run
}

// hasRoom reports whether more requests may be gathered.
func (w *writer) hasRoom() bool { return len(w.out) < batchSize && w.fds == nil && !w.broken }

// start gathers what can be sent. The caller holds mu. If start returns true, the caller
// must unlock mu and then either call the method now or start a goroutine that runs loop.
func (w *writer) start() bool {
	if w.busy {
		return false
	}
	w.gather()
	w.busy = len(w.out) > 0
	return w.busy
}

// now writes on the caller's goroutine, without waiting.
func (w *writer) now() {
	if w.try == nil || w.fds != nil {
		go w.loop()
		return
	}
	n, err := w.try.try(w.out)
	switch {
	case err != nil:
		w.fail(n, err)
	case n < len(w.out):
		w.from = n
		go w.loop()
	case w.more():
		go w.loop()
	}
}

// run writes until there is nothing left to write.
func (w *writer) run() {
	for {
		if w.fds != nil {
			n, err := w.writeFiles()
			if err != nil {
				w.fail(n, err)
				return
			}
			w.from = n
		}
		if n, err := w.rw.Write(w.out[w.from:]); err != nil {
			w.fail(w.from+n, err)
			return
		}
		if !w.more() {
			return
		}
	}
}

// cut reports whether writing has failed before a number of bytes was written.
func (w *writer) cut(end int64) bool { return w.broken && w.done < end }

// more ends a complete write, and reports whether there is more to write.
func (w *writer) more() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done += int64(len(w.out))
	w.out, w.from = w.out[:0], 0
	if cap(w.out) > 4*batchSize {
		w.out = nil
	}
	w.busy = false
	return w.start()
}

// fail ends the writing after n bytes of out. Nothing can be written later.
func (w *writer) fail(n int, err error) {
	w.mu.Lock()
	w.broken = true
	w.done += int64(n)
	w.mu.Unlock()
	w.failed(err)
}
