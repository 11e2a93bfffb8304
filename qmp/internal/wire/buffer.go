package wire

import "sync"

const (
	// minBuffer is the size of the smallest buffer for messages that do not fit
	// into the small buffer of a Framer.
	minBuffer = 64 << 10
	// maxBuffer is the size of the largest buffer that is kept for reuse.
	maxBuffer = 4 << 20
)

// buffers holds large buffers that are free.
var buffers sync.Pool

// newBuffer returns a buffer of at least this size.
func newBuffer(size int) []byte {
	if b, ok := buffers.Get().(*[]byte); ok && len(*b) >= size {
		return *b
	}
	return make([]byte, max(size, minBuffer))
}

// FreeBuffer makes b available for use again. Nothing may refer to it any more.
func FreeBuffer(b []byte) {
	if minBuffer <= len(b) && len(b) <= maxBuffer {
		kept := b // only a copy escapes to the heap, so that nothing is allocated if the buffer is not kept
		buffers.Put(&kept)
	}
}
