package qmp

import "testing"

// What can be parsed is written so that it is parsed the same.
func FuzzAddress(f *testing.F) {
	for _, text := range []string{
		"unix:/run/x.sock,server=on,wait=off", "unix:a,,b,abstract,notight", "unix:@x", "unix:@x,abstract=on",
		"tcp:localhost:4444,server,nowait", "tcp:[::1]:4444,ipv6=on", "tcp::1", "tcp:[::1:1", "tcp:a]b:1", "tcp:[[x]:1",
		"vsock:3:1024", "fd:3", "fd:+3", "pipe:/run/x", "pipe:,,", "stdio", "unix:,", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := parseAddress(text)
		if err != nil {
			return
		}
		a.secure = false // says how, not where
		again, err := parseAddress(a.String())
		if err != nil || again != a {
			t.Errorf("%q is %+v, but as %q %+v, %v", text, a, a, again, err)
		}
	})
}
