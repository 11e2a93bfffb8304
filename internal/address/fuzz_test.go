package address

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// An address that can be parsed is printed so that parsing it again gives the same address.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{
		"unix:/run/x.sock,server=on,wait=off", "unix:a,,b,abstract,notight", "unix:@x", "unix:@x,abstract=on",
		"unix:path=/a=b", "unix:path=", "unix:a,reconnect=5,logfile=x", "unix:x,abstarct=on", "unix:@,=",
		"tcp:localhost:4444,server,nowait", "tcp:[::1]:4444,ipv6=on", "tcp::1", "tcp:[::1:1", "tcp:a]b:1", "tcp:[[x]:1",
		"tcp:h:1,tls-creds=t,nodelay", "vsock:3:1024", "fd:3", "fd:+3", "pipe:/run/x", "pipe:,,", "stdio", "unix:,", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := Parse(text)
		if err != nil {
			return
		}
		a.Secure = false // String does not print it: it does not say where to connect
		again, err := Parse(a.String())
		assert.NoError(t, err, "%q is %+v", text, a)
		assert.Equal(t, a, again, "%q, and again %q", text, a)
	})
}

// Any path without a zero byte can be an address, and means that file.
func FuzzUnix(f *testing.F) {
	for _, path := range []string{"/run/x.sock", "a,b", ",,", "@x", "./@x", "path=x", "a=b,server", ",abstract=on", " ", "é"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		a, err := Parse(Unix(path))
		if err != nil {
			return // too long, or empty
		}
		if path[0] == '@' {
			path = "./" + path
		}
		assert.Equal(t, Address{Kind: "unix", Path: path}, a, "it was written as %q", Unix(path))
	})
}
