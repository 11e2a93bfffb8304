package machine

import "sync"

// network is where machines wait for others to migrate to them, as they do at the
// addresses of a real one.
var network struct {
	mu      sync.Mutex
	waiting map[string]*Machine // by URI
}

// listen has a machine wait at a URI, unless another one does.
func listen(uri string, m *Machine) bool {
	network.mu.Lock()
	defer network.mu.Unlock()
	if network.waiting[uri] != nil {
		return false
	}
	if network.waiting == nil {
		network.waiting = map[string]*Machine{}
	}
	network.waiting[uri] = m
	return true
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
