package address

import (
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	unix := func(path string) Address { return Address{Kind: "unix", Path: path} }
	tcp := func(host, family string) Address {
		return Address{Kind: "tcp", Host: host, Port: "4444", Family: family}
	}
	secure := func(a Address) Address {
		a.Secure = true
		return a
	}
	tests := []struct {
		text string
		want Address
	}{
		{"unix:/run/x.sock", unix("/run/x.sock")},
		{"unix:/run/x.sock,server=on,wait=off", unix("/run/x.sock")},
		{"unix:/run/x.sock,server,nowait", unix("/run/x.sock")},
		{"unix:/run/x.sock,reconnect=5,nodelay,delay=off,id=m", unix("/run/x.sock")},
		{"unix:/run/x.sock,reconnect-ms=5,telnet=off,tn3270=off,websocket=off", unix("/run/x.sock")},
		{"unix:/run/x.sock,mux=on,logfile=/tmp/a,,b,logappend=on,logtimestamp=on", unix("/run/x.sock")},
		{"unix:/run/x.sock,tls-creds=t,tls-authz=a", secure(unix("/run/x.sock"))},
		{"unix:/run/a,,b:c.sock,server=on", unix("/run/a,b:c.sock")},
		{"unix:path=/run/a=b.sock,server=on", unix("/run/a=b.sock")},
		{"unix:@x", unix("./@x")},
		{"unix:name,abstract=on", unix("\x00name")},
		{"unix:name,abstract", unix("\x00name")},
		{"unix:name,abstract=yes", unix("\x00name")},
		{"unix:name,abstract=on,tight=off", unix("\x00name" + strings.Repeat("\x00", 103))},
		{"unix:name,abstract,notight", unix("\x00name" + strings.Repeat("\x00", 103))},
		{"unix:name,abstract=off", unix("name")},
		{"tcp:localhost:4444,server=on", tcp("localhost", "")},
		{"tcp::4444", tcp("", "")},
		{"tcp:[::1]:4444", tcp("::1", "")},
		{"tcp::4444,server,nowait", tcp("", "")},
		{"tcp:[::1]:4444,server=on,wait=off,ipv6=on", tcp("::1", "6")},
		{"tcp:h:4444,ipv6=off,nodelay=on", tcp("h", "4")},
		{"tcp:h:4444,ipv4", tcp("h", "4")},
		{"tcp:h:4444,noipv4", tcp("h", "6")},
		{"tcp:h:4444,ipv4=on,ipv6=on", tcp("h", "")},
		{"tcp:h:4444,ipv4=on,ipv4=off", tcp("h", "6")},
		{"tcp:h:4444,server=on,tls-creds=t", secure(tcp("h", ""))},
		{"tcp:h:4444,to=4450,numeric,keep-alive,keep-alive-count=3,keep-alive-idle=1,keep-alive-interval=1,mptcp=off", tcp("h", "")},
		{"vsock:3:1024", Address{Kind: "vsock", CID: 3, VPort: 1024}},
		{"vsock:4294967295:4294967295", Address{Kind: "vsock", CID: 1<<32 - 1, VPort: 1<<32 - 1}},
		{"fd:3", Address{Kind: "fd", FD: 3}},
		{"pipe:/run/x", Address{Kind: "pipe", Path: "/run/x"}},
		{"pipe:/run/x,,y,z", Address{Kind: "pipe", Path: "/run/x,,y,z"}},
	}
	for _, test := range tests {
		got, err := Parse(test.text)
		if !assert.NoError(t, err) {
			continue
		}
		assert.Empty(t, cmp.Diff(test.want, got), test.text)
	}
}

func TestBadAddresses(t *testing.T) {
	noKind := `it does not begin with its kind, such as "unix:" or "tcp:"`
	long := strings.Repeat("x", pathLimit+1)
	tests := []struct{ text, want string }{
		{"/run/x.sock", noKind},
		{"./a:b", noKind},
		{"", noKind},
		{"unix:", "the path is missing"},
		{"unix:,server=on", "the path is missing"},
		{"unix:path=,server=on", "the path is missing"},
		{"pipe:", "the path is missing"},
		{"tcp:localhost", "the port is missing"},
		{"tcp:localhost:", "the port is missing"},
		{"tcp:::1:4444", "an IPv6 address needs brackets"},
		{"tcp:[::1:4444", "a bracket is missing"},
		{"tcp:[[::1]:4444", "a bracket is out of place"},
		{"fd:x", `"x" is not a file descriptor`},
		{"fd:3,server=on", `"3,server=on" is not a file descriptor`},
		{"fd:-1", `"-1" is not a file descriptor`},
		{"unix:/a\x00b", "it contains a zero byte"},
		{"tcp:localhost:1,server,websocket", "QMP over websocket is not supported"},
		{"tcp:localhost:1,telnet=on", "QMP over telnet is not supported"},
		{"unix:x,tn3270", "QMP over tn3270 is not supported"},
		{"vsock:3", `"3" is not the numbers CID:PORT`},
		{"vsock:host:1", `"host:1" is not the numbers CID:PORT`},
		{"vsock:3:4294967296", `"3:4294967296" is not the numbers CID:PORT`},
		{"vsock:-1:1", `"-1:1" is not the numbers CID:PORT`},
		{"stdio", "qmp.Start makes a connection of a program's standard input and output"},
		{"telnet:localhost:1", `a connection of the kind "telnet" cannot be made with an address`},
		{"udp:localhost:1", `unknown kind "udp"; the kinds are unix, tcp, vsock, fd and pipe`},

		{"unix:x,abstarct=on", `unknown option "abstarct"; is "abstract" meant?`},
		{"unix:x,nowiat", `unknown option "nowiat"; is "wait" meant?`},
		{"unix:x,servr", `unknown option "servr"; is "server" meant?`},
		{"unix:x,ipv4=on", `unknown option "ipv4"; a comma that belongs to the path is doubled`},
		{"unix:/d/with,comma/l.sock", `unknown option "comma/l.sock"; a comma that belongs to the path is doubled`},
		{"unix:/d/a,server/l.sock", `unknown option "server/l.sock"; a comma that belongs to the path is doubled`},
		{"unix:/d/a,wait/l", `unknown option "wait/l"; a comma that belongs to the path is doubled`},
		{"unix:/d/with,", `unknown option ""; a comma that belongs to the path is doubled`},
		{"tcp:h:1,abstract=on", `unknown option "abstract"`},
		{"tcp:h:1,colour=red", `unknown option "colour"`},
		{"tcp:h:1,noto", `unknown option "noto"; is "to" meant?`},
		{"unix:x,abstract=maybe", `the option "abstract" is on or off, not "maybe"`},
		{"unix:x,server=", `the option "server" is on or off, not ""`},
		{"unix:x,reconnect=soon", `the option "reconnect" is a number, not "soon"`},
		{"unix:x,tls-creds", `the option "tls-creds" has no value`},
		{"unix:x,tls-creds=", `the option "tls-creds" has no value`},
		{"unix:" + long, fmt.Sprintf("the path of the socket has %d bytes, and the system allows at most %d", pathLimit+1, pathLimit)},
		{"unix:" + long + ",abstract", fmt.Sprintf("the name of the socket has %d bytes, and the system allows at most %d", pathLimit+1, pathLimit)},
	}
	for _, test := range tests {
		_, err := Parse(test.text)
		assert.EqualError(t, err, fmt.Sprintf("address %q: %s", test.text, test.want))
	}
}

// The limit is that of package net, or less.
func TestPathLimit(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	path := strings.Repeat("x", pathLimit)
	_, err := Parse(Unix(path))
	require.NoError(t, err)
	l, err := net.Listen("unix", path)
	require.NoError(t, err)
	l.Close()
	_, err = net.Listen("unix", path+"x")
	require.Error(t, err)
}

func TestParseStream(t *testing.T) {
	for text, want := range map[string]string{
		"pipe:/x":               `address "pipe:/x": it is neither a unix: nor a tcp: address`,
		"tcp:h:1,tls-creds=t":   `address "tcp:h:1,tls-creds=t": it has tls-creds: for TLS use package qmptls`,
		"unix:x,colour=blue":    `address "unix:x,colour=blue": unknown option "colour"; a comma that belongs to the path is doubled`,
		"unix:/run/a,server=on": "",
	} {
		_, err := ParseStream(text)
		if want == "" {
			assert.NoError(t, err)
		} else {
			assert.EqualError(t, err, want)
		}
	}
}

func TestNet(t *testing.T) {
	for text, want := range map[string][2]string{
		"unix:/a,,b,server=on": {"unix", "/a,b"},
		"tcp:[::1]:1,ipv6=on":  {"tcp6", "[::1]:1"},
		"tcp::1":               {"tcp", ":1"},
	} {
		a, err := Parse(text)
		require.NoError(t, err)
		network, where := a.Net()
		assert.Equal(t, want, [2]string{network, where}, text)
	}
}

func TestBound(t *testing.T) {
	at := &net.TCPAddr{Port: 77}
	for text, want := range map[string]string{
		"tcp:127.0.0.1:0":  "tcp:127.0.0.1:77",
		"tcp::0,ipv6":      "tcp:[::1]:77,ipv6=on",
		"tcp::0,server=on": "tcp:localhost:77",
	} {
		a, err := Parse(text)
		require.NoError(t, err)
		assert.Equal(t, want, a.Bound(at).String(), text)
	}
	a, err := Parse("unix:@x,wait=off")
	require.NoError(t, err)
	assert.Equal(t, "unix:./@x", a.Bound(&net.UnixAddr{}).String())
}
