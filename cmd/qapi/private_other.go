//go:build !unix

package main

import "net"

// listenPrivate listens. The system decides who may connect.
func listenPrivate(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}
