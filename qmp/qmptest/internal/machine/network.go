package machine

import (
	"fmt"
	"strings"
	"sync"
)

// network is where machines wait for others to migrate to them, as they do at the
// addresses of a real one.
var network struct {
	mu      sync.Mutex
	waiting map[string]*Machine // by URI
	port    int                 // how many were given away
}

// listen has a machine wait at a URI, unless another one does. Of a TCP address with port 0
// it makes one with a port that is free.
func listen(uri string, m *Machine) (at string, ok bool) {
	network.mu.Lock()
	defer network.mu.Unlock()
	if host, any := strings.CutSuffix(uri, ":0"); any && strings.HasPrefix(uri, "tcp:") {
		network.port++
		uri = fmt.Sprintf("%s:%d", host, 49151+network.port)
	}
	if network.waiting[uri] != nil {
		return "", false
	}
	if network.waiting == nil {
		network.waiting = map[string]*Machine{}
	}
	network.waiting[uri] = m
	return uri, true
}

// waiting is the machine that waits at a URI; nil if there is none.
func waiting(uri string) *Machine {
	network.mu.Lock()
	defer network.mu.Unlock()
	return network.waiting[uri]
}

// leave has a machine wait no longer.
func leave(m *Machine) {
	network.mu.Lock()
	defer network.mu.Unlock()
	for uri, other := range network.waiting {
		if other == m {
			delete(network.waiting, uri)
		}
	}
}

// waitsAnywhere reports whether a machine waits.
func waitsAnywhere(m *Machine) bool {
	network.mu.Lock()
	defer network.mu.Unlock()
	for _, other := range network.waiting {
		if other == m {
			return true
		}
	}
	return false
}
