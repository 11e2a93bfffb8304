package qmptls_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/goqapi/goqapi/qmp"
	"github.com/goqapi/goqapi/qmp/qmptls"
)

// serve plays a server: it greets and confirms each command.
func serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, `{"QMP": {"version": {"qemu": {"micro": 3, "minor": 1, "major": 11}, "package": ""}, "capabilities": []}}`+"\r\n")
	for in := json.NewDecoder(c); ; {
		var command struct {
			ID json.RawMessage `json:"id,omitempty"`
		}
		if in.Decode(&command) != nil {
			return
		}
		if command.ID == nil {
			fmt.Fprint(c, `{"return": {}}`+"\r\n")
		} else {
			fmt.Fprintf(c, `{"return": {}, "id": %s}`+"\r\n", command.ID)
		}
	}
}

// listen has f called with each connection, and returns the address.
func listen(t *testing.T, network string, f func(net.Conn)) net.Addr {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, addr)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f(c)
		}
	}()
	return l.Addr()
}

func TestDial(t *testing.T) {
	dir, _ := newAuthority(t, "Test Authority").write(t, "server", "client")
	server, err := qmptls.LoadServer(dir)
	require.NoError(t, err)
	client, err := qmptls.LoadClient(dir)
	require.NoError(t, err)
	secure := func(c net.Conn) { serve(qmptls.Server(c, server)) }
	tcp := listen(t, "tcp", secure).(*net.TCPAddr)
	unix := listen(t, "unix", secure)
	named := client.Clone()
	named.ServerName = "localhost"
	for _, test := range []struct {
		addr string
		cfg  *tls.Config
	}{
		{fmt.Sprint("tcp:127.0.0.1:", tcp.Port), client},
		{fmt.Sprint("tcp:localhost:", tcp.Port, ",ipv4=on,tls-creds=tls0"), client},
		{fmt.Sprint("tcp::", tcp.Port), client},
		{"unix:" + unix.String(), named},
	} {
		c, err := qmp.Dial(t.Context(), test.addr, qmptls.WithConfig(test.cfg))
		if assert.NoError(t, err, test.addr) {
			assert.NoError(t, c.Execute(t.Context(), "query-status", nil, nil))
			c.Close()
		}
	}
	assert.Empty(t, client.ServerName, "the configuration was changed")

	stream, err := net.DialTCP("tcp", nil, tcp)
	require.NoError(t, err)
	c, err := qmp.NewConn(t.Context(), qmptls.Client(stream, named))
	require.NoError(t, err)
	c.Close()
}

func TestDialFails(t *testing.T) {
	ca := newAuthority(t, "Test Authority")
	dir, _ := ca.write(t, "server", "client")
	server, err := qmptls.LoadServer(dir)
	require.NoError(t, err)
	client, err := qmptls.LoadClient(dir)
	require.NoError(t, err)

	dial := func(ctx context.Context, addr string, cfg *tls.Config) error {
		c, err := qmp.Dial(ctx, addr, qmptls.WithConfig(cfg))
		if err == nil {
			c.Close()
		}
		return err
	}
	plain := fmt.Sprint("tcp:", listen(t, "tcp", serve))
	secure := fmt.Sprint("tcp:", listen(t, "tcp", func(c net.Conn) { serve(qmptls.Server(c, server)) }))

	err = dial(t.Context(), plain, client)
	assert.EqualError(t, err, "qmp: handshake: connection closed: "+
		"TLS handshake: tls: first record does not look like a TLS handshake (at "+plain+")")
	assert.ErrorContains(t, dial(t.Context(), secure, nil), "x509: certificate signed by unknown authority")
	bare, _ := ca.write(t)
	without, err := qmptls.LoadClient(bare)
	require.NoError(t, err)
	err = dial(t.Context(), secure, without)
	assert.ErrorContains(t, err, "it asked for a client certificate, and there is none that it would accept: remote error: tls: certificate required")
	_, err = qmp.Dial(t.Context(), secure+",tls-creds=tls0")
	assert.ErrorContains(t, err, "for TLS use package qmptls")
	assert.ErrorContains(t, dial(t.Context(), "unix:/none", client), "tls.Config.ServerName")
	assert.ErrorContains(t, dial(t.Context(), "fd:0", client), "WithDialer is for unix: and tcp: addresses")
	err = dial(t.Context(), "unix:"+t.TempDir()+"/none", &tls.Config{ServerName: "localhost"})
	assert.ErrorIs(t, err, os.ErrNotExist)

	// A server that accepts and sends nothing has as much time as for a greeting.
	let := make(chan struct{})
	ended := make(chan struct{})
	mute := fmt.Sprint("tcp:", listen(t, "tcp", func(c net.Conn) {
		defer close(ended)
		defer c.Close()
		_, _ = io.ReadFull(c, make([]byte, 1))
		close(let)
		_, _ = io.Copy(io.Discard, c)
	}))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-let; cancel() }()
	err = dial(ctx, mute, client)
	assert.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "waiting for the greeting")
	<-ended
}

// A tunnel is a dialer that counts.
type tunnel struct {
	net.Dialer
	dialled []string
}

func (u *tunnel) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	u.dialled = append(u.dialled, network+" "+address)
	return u.Dialer.DialContext(ctx, network, address)
}

// A connection that is made again has TLS again, here through a tunnel.
func TestReconnect(t *testing.T) {
	dir, _ := newAuthority(t, "Test Authority").write(t, "server", "client")
	server, err := qmptls.LoadServer(dir)
	require.NoError(t, err)
	client, err := qmptls.LoadClient(dir)
	require.NoError(t, err)
	streams := make(chan net.Conn, 10)
	addr := listen(t, "tcp", func(c net.Conn) {
		streams <- c
		serve(qmptls.Server(c, server))
	}).String()
	through := new(tunnel)
	restored := make(chan struct{}, 1)
	c, err := qmp.Dial(t.Context(), "tcp:"+addr,
		qmp.WithDialer(&qmptls.Dialer{Config: client, Dialer: through}),
		qmp.WithReconnect(qmp.Reconnect{OnReconnect: func(*qmp.Conn) { restored <- struct{}{} }}))
	require.NoError(t, err)
	defer c.Close()
	for range 3 {
		assert.NoError(t, c.Execute(t.Context(), "query-status", nil, nil))
		(<-streams).Close()
		<-restored
	}
	assert.NoError(t, c.Execute(t.Context(), "query-status", nil, nil))
	c.Close()
	assert.Equal(t, []string{"tcp " + addr, "tcp " + addr, "tcp " + addr, "tcp " + addr}, through.dialled)
}

// The last byte that is written goes in a record of its own.
func TestRecords(t *testing.T) {
	dir, _ := newAuthority(t, "Test Authority").write(t, "server")
	server, err := qmptls.LoadServer(dir)
	require.NoError(t, err)
	server.ClientAuth = tls.NoClientCert
	client, err := qmptls.LoadClient(dir)
	require.NoError(t, err)
	client.ServerName = "localhost"
	ours, theirs := net.Pipe()
	c := qmptls.Client(ours, client)
	defer c.Close()
	defer theirs.Close() // first: c has a last record to write, which nobody reads
	texts := []string{`{"execute":"stop"}`, "x", strings.Repeat("y", 100_000), `{"execute":"cont"}{"execute":"stop"}`}
	go func() {
		for _, text := range texts {
			n, err := io.WriteString(c, text)
			assert.NoError(t, err)
			assert.Equal(t, len(text), n)
		}
	}()
	peer := tls.Server(theirs, server)
	buf := make([]byte, 1<<20) // a Read returns no more than a record
	for _, text := range texts {
		got, last := "", 0
		for len(got) < len(text) {
			n, err := peer.Read(buf)
			require.NoError(t, err)
			got, last = got+string(buf[:n]), n
		}
		assert.Equal(t, text, got)
		assert.Equal(t, 1, last)
	}
}

func TestLoad(t *testing.T) {
	ca := newAuthority(t, "Test Authority")
	full, serials := ca.write(t, "server", "client")
	bare, _ := ca.write(t)

	cfg, err := qmptls.LoadClient(full)
	require.NoError(t, err)
	assert.Len(t, cfg.Certificates, 1)
	assert.Nil(t, cfg.VerifyConnection)
	cfg, err = qmptls.LoadClient(bare)
	require.NoError(t, err)
	assert.Empty(t, cfg.Certificates)
	_, err = qmptls.LoadServer(bare)
	assert.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "qmptls: server's credentials: ")
	assert.ErrorContains(t, err, "server-cert.pem")

	// broken is a directory like full, except one file.
	broken := func(name, text string) string {
		dir := t.TempDir()
		require.NoError(t, os.CopyFS(dir, os.DirFS(full)))
		path := filepath.Join(dir, name)
		if text == "" {
			require.NoError(t, os.Remove(path))
		} else {
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		}
		return dir
	}
	for name, want := range map[string]string{
		"ca-cert.pem":     "no such file",
		"client-key.pem":  "no such file",
		"client-cert.pem": "no such file",
	} {
		_, err = qmptls.LoadClient(broken(name, ""))
		assert.ErrorContains(t, err, "qmptls: client's credentials: ", name)
		assert.ErrorContains(t, err, name)
		assert.ErrorIs(t, err, os.ErrNotExist, want)
	}
	const noDER = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
	for name, test := range map[string]struct{ text, want string }{
		"ca-cert.pem":    {"no PEM", "the file contains no certificate"},
		"client-key.pem": {"no PEM", "failed to find any PEM data in key input"},
		"ca-crl.pem":     {"no PEM", "the file contains no list of revoked certificates"},
	} {
		_, err = qmptls.LoadClient(broken(name, test.text))
		assert.ErrorContains(t, err, test.want)
		assert.ErrorContains(t, err, name)
	}
	_, err = qmptls.LoadClient(broken("ca-cert.pem", noDER))
	assert.ErrorContains(t, err, "x509: malformed certificate")

	stranger := newAuthority(t, "Test Authority") // of the same name
	dir := broken("client-key.pem", "")
	stranger.revoke(t, dir, time.Now().Add(time.Hour), serials...)
	_, err = qmptls.LoadClient(dir)
	assert.ErrorContains(t, err, "none of the authorities has signed the list of CN=Test Authority")
}

func TestRevoked(t *testing.T) {
	ca := newAuthority(t, "Test Authority")
	dir, serials := ca.write(t, "server", "client")
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	for _, test := range []struct {
		name           string
		until          time.Time
		revoked        []*big.Int
		client, server string
	}{
		{"none", soon, nil, "", ""},
		{"another", soon, []*big.Int{big.NewInt(1000)}, "", ""},
		{"server", soon, serials[:1], "the certificate of CN=server was revoked by CN=Test Authority", "bad certificate"},
		{"client", soon, serials[1:], "bad certificate", "the certificate of CN=client was revoked by CN=Test Authority"},
		{"out of date", past, nil, "the list of CN=Test Authority is out of date since ", "bad certificate"},
	} {
		ca.revoke(t, dir, test.until, test.revoked...)
		server, err := qmptls.LoadServer(dir)
		require.NoError(t, err)
		client, err := qmptls.LoadClient(dir)
		require.NoError(t, err)
		client.ServerName = "localhost"
		peer := make(chan error, 1)
		addr := listen(t, "tcp", func(c net.Conn) {
			defer c.Close()
			s := qmptls.Server(c, server)
			_, err := s.Read(nil)
			if err == nil {
				_, err = s.Write([]byte("x"))
			}
			peer <- err
		}).String()
		stream, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		_, err = qmptls.Client(stream, client).Read(make([]byte, 1))
		stream.Close()
		for _, end := range []struct {
			err  error
			want string
		}{{err, test.client}, {<-peer, test.server}} {
			if end.want == "" {
				assert.NoError(t, end.err, test.name)
			} else {
				assert.ErrorContains(t, end.err, end.want, test.name)
			}
		}
	}
}

// A certificate that no authority has signed cannot forge a line of a log.
func TestHandshakeErrorIsPrintable(t *testing.T) {
	ca, key := newAuthority(t, "Test Authority"), newKey(t)
	cert := tls.Certificate{PrivateKey: key, Certificate: [][]byte{ca.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: ca.cert.NotBefore, NotAfter: ca.cert.NotAfter,
		DNSNames: []string{"x\nall is well \x1b[31m", strings.Repeat("y", 5000)},
	}, key)}}
	addr := listen(t, "tcp", func(c net.Conn) { serve(qmptls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})) })
	_, err := qmp.Dial(t.Context(), "tcp:"+addr.String(), qmptls.WithConfig(&tls.Config{ServerName: "localhost"}))
	assert.ErrorAs(t, err, new(x509.HostnameError))
	assert.ErrorContains(t, err, `certificate is valid for x\nall is well \x1b[31m, yyyy`)
	assert.Less(t, len(err.Error()), 1500)
}

// Without credentials a server fails, and does not crash.
func TestNilServer(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() { _, _ = qmptls.Client(ours, &tls.Config{ServerName: "localhost"}).Read(make([]byte, 1)) }()
	_, err := qmptls.Server(theirs, nil).Read(make([]byte, 1))
	assert.ErrorContains(t, err, "TLS handshake: tls: ")
}

func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cfg, err := qmptls.LoadClient("/etc/pki/qemu")
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := qmp.Dial(ctx, "tcp:vmhost:4444", qmptls.WithConfig(cfg))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Println(c.Greeting().Version)
}
