package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// A Tunnel reaches sockets on another host by SSH: a [qmp.Dialer]. All connections share one SSH
// client, which is made when it is needed, and again when it is lost.
type Tunnel struct {
	Addr   string // host and port
	Config ssh.ClientConfig

	mu     sync.Mutex
	closed bool
	client *ssh.Client // nil: there is none
	login  *login      // in progress; nil: none
}

// loginLimit is how long a login may take.
const loginLimit = 30 * time.Second

// A login is an attempt to make an SSH client, for all who wait for it.
type login struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when the rest is set
	client *ssh.Client
	err    error
}

// DialContext connects to a socket as the other host sees it.
func (t *Tunnel) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	client, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	return client.DialContext(ctx, network, address)
}

// connect returns the SSH client. A login continues even if a caller does not wait for it any more.
func (t *Tunnel) connect(ctx context.Context) (*ssh.Client, error) {
	t.mu.Lock()
	if t.closed || t.client != nil {
		defer t.mu.Unlock()
		if t.closed {
			return nil, net.ErrClosed
		}
		return t.client, nil
	}
	l := t.login
	if l == nil {
		l = &login{done: make(chan struct{})}
		var own context.Context
		own, l.cancel = context.WithTimeout(context.Background(), loginLimit)
		t.login = l
		go t.logIn(own, l)
	}
	t.mu.Unlock()
	select {
	case <-l.done:
		return l.client, l.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// logIn makes the SSH client, and forgets it when it is lost.
func (t *Tunnel) logIn(ctx context.Context, l *login) {
	defer l.cancel()
	l.client, l.err = t.newClient(ctx)
	t.mu.Lock()
	t.login = nil
	if t.closed && l.err == nil {
		l.err = errors.Join(net.ErrClosed, l.client.Close())
	}
	if l.err == nil {
		t.client = l.client
	}
	t.mu.Unlock()
	close(l.done)
	if l.err != nil {
		return
	}
	_ = l.client.Wait() // the connections say why
	t.mu.Lock()
	defer t.mu.Unlock()
	t.client = nil
}

func (t *Tunnel) newClient(ctx context.Context) (*ssh.Client, error) {
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
	return ssh.NewClient(conn, channels, requests), nil
}

// Close ends the SSH client, and all connections with it.
func (t *Tunnel) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	if t.login != nil {
		t.login.cancel()
	}
	if t.client == nil {
		return nil
	}
	return t.client.Close()
}
