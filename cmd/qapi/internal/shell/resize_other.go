//go:build !unix

package shell

// onResize does nothing: there is no signal for it.
func onResize(func()) (stop func()) { return func() {} }
