//go:build unix

package main

import (
	"net"
	"syscall"
)

// listenPrivate listens. A socket that it makes is its owner's only, from the start.
func listenPrivate(network, address string) (net.Listener, error) {
	before := syscall.Umask(0o177) // of the whole program, which makes nothing else here
	defer syscall.Umask(before)
	return net.Listen(network, address)
}
