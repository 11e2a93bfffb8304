package main

import (
	"context"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// A Tunnel reaches sockets on another host by SSH: a [qmp.Dialer]. All connections share one SSH
// client, which is made when it is needed, and again when it is lost.
type Tunnel struct {
	Addr   string // host and port
	Config ssh.ClientConfig

	mu     sync.Mutex
	client *ssh.Client
}

// DialContext connects to a socket as the other host sees it.
func (t *Tunnel) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	client, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	return client.DialContext(ctx, network, address)
}

// connect returns the SSH client.
func (t *Tunnel) connect(ctx context.Context) (*ssh.Client, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client != nil {
		return t.client, nil
	}
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", t.Addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { raw.Close() })
	defer stop()
	conn, channels, requests, err := ssh.NewClientConn(raw, t.Addr, &t.Config)
	if err != nil {
		raw.Close()
		return nil, err
	}
	client := ssh.NewClient(conn, channels, requests)
	t.client = client
	go func() {
		_ = client.Wait() // the connections say why
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.client == client {
			t.client = nil
		}
	}()
	return client, nil
}

// Close ends the SSH client, and all connections with it.
func (t *Tunnel) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.client == nil {
		return nil
	}
	return t.client.Close()
}
