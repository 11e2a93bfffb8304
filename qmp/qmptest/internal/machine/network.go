package machine

import (
	"fmt"
	"strings"
	"sync"
)

// network has the machines that wait for a migration, by their addresses, as a real network does.
var network struct {
	mu      sync.Mutex
	waiting map[string]*Machine // by URI
	port    int                 // how many ports were given away
}

// listen makes a machine wait at a URI, unless another one does. In a TCP address it replaces port 0
// by a free port.
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

// waiting returns the machine that waits at a URI; nil if there is none.
func waiting(uri string) *Machine {
	network.mu.Lock()
	defer network.mu.Unlock()
	return network.waiting[uri]
}

// leave ends the waiting of a machine.
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
