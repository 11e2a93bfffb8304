package shell

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// keys passes what is typed to the editor, except Ctrl-C, which would end the editor: it
// interrupts a running command, or clears the line.
type keys struct {
	mu        sync.Mutex
	arrived   *sync.Cond
	typed     []byte
	err       error
	interrupt func() // nil: no command runs
	instead   string // what the editor gets instead of Ctrl-C
}

const (
	ctrlC     = 3
	clearLine = "\x05\x15" // go to its end, and delete to its start
	enter     = "\r"
)

// spellings are other sequences that terminals send for keys which the editor knows.
var spellings = strings.NewReplacer(
	"\x1b[1~", "\x1b[H", "\x1b[7~", "\x1b[H", "\x1bOH", "\x1b[H", // Home
	"\x1b[4~", "\x1b[F", "\x1b[8~", "\x1b[F", "\x1bOF", "\x1b[F", // End
)

// readKeys reads keys until the input ends or close is called; a read that has already begun is not
// interrupted.
func readKeys(in io.Reader) *keys {
	k := &keys{instead: clearLine}
	k.arrived = sync.NewCond(&k.mu)
	go func() {
		for buffer := make([]byte, 1024); ; {
			n, err := in.Read(buffer)
			if k.take(buffer[:n], err) != nil {
				return
			}
		}
	}()
	return k
}

// mostTyped is how much can be typed ahead.
const mostTyped = 1 << 20

func (k *keys) take(typed []byte, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.arrived.Broadcast()
	for len(typed) > 0 {
		i := bytes.IndexByte(typed, ctrlC)
		if i < 0 {
			k.typed = append(k.typed, spellings.Replace(string(typed))...)
			break
		}
		k.typed = append(k.typed, typed[:i]...)
		typed = typed[i+1:]
		if k.interrupt != nil {
			k.interrupt()
			k.typed = k.typed[:0] // what was typed ahead may depend on the interrupted command
		}
		k.typed = append(k.typed, k.instead...)
	}
	k.typed = k.typed[:min(len(k.typed), mostTyped)]
	if k.err == nil {
		k.err = err
	}
	return k.err
}

// Read returns what was typed.
func (k *keys) Read(b []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.typed) == 0 && k.err == nil {
		k.arrived.Wait()
	}
	if len(k.typed) == 0 {
		return 0, k.err
	}
	n := copy(b, k.typed)
	k.typed = k.typed[n:]
	return n, nil
}

// close ends reads, even if more was typed.
func (k *keys) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.typed, k.err = nil, io.EOF
	k.arrived.Broadcast()
}

// during makes Ctrl-C call cancel until the function that it returns is called.
func (k *keys) during(cancel func()) func() { return k.with(cancel, "") }

// leaving makes Ctrl-C end the line and call cancel, until the function that it returns is called.
func (k *keys) leaving(cancel func()) func() { return k.with(cancel, clearLine+enter) }

func (k *keys) with(interrupt func(), instead string) func() {
	k.mu.Lock()
	defer k.mu.Unlock()
	before, insteadBefore := k.interrupt, k.instead
	k.interrupt, k.instead = interrupt, instead
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.interrupt, k.instead = before, insteadBefore
	}
}
