//go:build unix

package shell

import (
	"os"
	"os/signal"
	"syscall"
)

// onResize calls f each time the size of the terminal has changed, until stop is called.
func onResize(f func()) (stop func()) {
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-resized:
				f()
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(resized)
		close(done)
	}
}
