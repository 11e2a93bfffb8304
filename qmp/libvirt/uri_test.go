package libvirt

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestURI(t *testing.T) {
	for text, want := range map[string]string{
		"qemu:///system":                          "unix   system ",
		"qemu:///session":                         "unix   session ",
		"qemu+unix:///system?socket=/run/s":       "unix   system /run/s",
		"qemu+ssh://host/system":                  "ssh  host system ",
		"qemu+ssh://me@host:2222/session":         "ssh me host:2222 session ",
		"qemu+ssh://me@[::1]/system?no_verify=1":  "ssh me ::1 system ",
		"qemu+tls://host/system?pkipath=/etc/pki": "tls  host system ",
		"qemu://host/system":                      "tls  host system ",
		"qemu+tcp://host:1/system":                "tcp  host:1 system ",
		"qemu:///system?mode=direct":              "unix   system ",
		"qemu+ssh://h/system?proxy=netcat&keyfile=/k&command=/usr/bin/ssh&netcat=/bin/nc&no_tty=1": "ssh  h system ",
	} {
		e, err := parseURI(text)
		if !assert.NoError(t, err, text) {
			continue
		}
		host := e.host
		if e.port != "" {
			host += ":" + e.port
		}
		scope := "system"
		if e.session {
			scope = "session"
		}
		assert.Equal(t, want, strings.Join([]string{e.transport, e.user, host, scope, e.params["socket"]}, " "), text)
	}
}

func TestURIRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                           "it does not begin with qemu:///",
		"/run/vm/qmp.sock":                           "it does not begin with qemu:///",
		"xen:///system":                              "it does not begin with qemu:///",
		"qemu:system":                                "its path is neither /system nor /session",
		"qemu:///":                                   "its path is neither /system nor /session",
		"qemu:///system/x":                           "its path is neither /system nor /session",
		"qemu+libssh2://h/system":                    `the transport "libssh2" is not one of unix, ssh, tls and tcp`,
		"qemu+ssh:///system":                         "it has no host",
		"qemu+unix://h/system":                       "it has a host, but the transport unix is for this host",
		"qemu+tls://me@h/system":                     "it has a user, which only the transport ssh has",
		"qemu+ssh://me:secret@h/system":              "it has a password",
		"qemu+ssh://-oProxyCommand=x/system":         "its host or user begins with -",
		"qemu+ssh://-l@h/system":                     "its host or user begins with -",
		"qemu:///system#x":                           "what follows # has no meaning",
		"qemu:///system?sokcet=/s":                   `the parameter "sokcet" is unknown with the transport unix`,
		"qemu:///system?keyfile=/k":                  `the parameter "keyfile" is unknown with the transport unix`,
		"qemu:///system?socket=s":                    "the path of its socket is not absolute",
		"qemu:///system?socket=/a&socket=/b":         `the parameter "socket" is there twice`,
		"qemu:///system?mode=fast":                   `the parameter mode is "fast", not one of auto, legacy, direct`,
		"qemu+ssh://h/system?no_tty=yes":             `the parameter no_tty is "yes", not one of 0, 1`,
		"qemu+ssh://h/system?proxy=native&socket=/s": "with proxy=native it can have neither socket nor netcat",
		"qemu+tcp://h:x/system":                      "invalid port",
		"qemu:///system?%":                           "invalid URL escape",
	} {
		_, err := parseURI(text)
		assert.ErrorContains(t, err, want, text)
	}
}

// No password of a URI is in an error.
func TestURISecret(t *testing.T) {
	for _, text := range []string{
		"qemu+ssh://me:secret@h/system", "xen://me:secret@h/", "qemu+ssh://me:secret@h:x/system",
		"qemu+ssh://me:a@secret@h/system", "qemu+ssh://me@domain:a@secret@h/system", "qemu+ssh://me:a/secret@h/system",
		"qemu+ssh://me:a@b/secret@h/system", "qemu+ssh://me:secret/a@h/system", "qemu+ssh://me:a?secret@h/system",
		"qemu+ssh://me:a#secret@h/system", "qemu+ssh://me:1/secret@h/system", "qemu+ssh://me:%secret@h/system",
		"qemu+ssh://me:a@%secret@h/system", "qemu+ssh://me:a:secret@h/system", "qemu+ssh:/me:secret@h/system",
		"qemu+ssh://me:1#secret@h/system", "qemu+ssh://me:1?secret@h/system", "qemu+ssh://me:1/?secret@h/system",
		"qemu+ssh:me:secret@h/system", "me:secret@h/system",
	} {
		_, err := parseURI(text)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "secret", text)
	}
}

// An error contains the whole URI, if that has no password.
func TestURIShown(t *testing.T) {
	for text, want := range map[string]string{
		"qemu+ssh://me@h:22/system?socket=/a@b&x=1": "qemu+ssh://me@h:22/system?socket=/a@b&x=1",
		"qemu+tcp://[::1]:22/x":                     "qemu+tcp://[::1]:22/x",
		"qemu+ssh://me:secret@h/system":             "qemu+ssh://me:…@h/system",
		"qemu+ssh://me:a@b@h:22/system":             "qemu+ssh://me:…@h:22/system",
	} {
		_, err := parseURI(text)
		assert.ErrorContains(t, err, strconv.Quote(want))
	}
}

func TestSockets(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	for text, want := range map[string][]string{
		"qemu:///system":              {"/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock"},
		"qemu:///system?mode=legacy":  {"/run/libvirt/libvirt-sock"},
		"qemu:///session":             {"/run/user/7/libvirt/virtqemud-sock", "/run/user/7/libvirt/libvirt-sock"},
		"qemu:///session?mode=direct": {"/run/user/7/libvirt/virtqemud-sock"},
		"qemu:///session?socket=/s":   {"/s"},
	} {
		e, err := parseURI(text)
		require.NoError(t, err)
		dir, err := e.runtimeDir()
		require.NoError(t, err)
		assert.Equal(t, want, e.sockets(dir), text)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "/h")
	e, err := parseURI("qemu:///session")
	require.NoError(t, err)
	dir, err := e.runtimeDir()
	require.NoError(t, err)
	assert.Equal(t, "/h/.cache/libvirt", dir)
}

func TestSSHArgs(t *testing.T) {
	e, err := parseURI("qemu+ssh://me@host:2222/system?keyfile=/k&no_verify=1")
	require.NoError(t, err)
	args := sshArgs(e)
	assert.Equal(t, strings.Fields("-T -e none -o BatchMode=yes -p 2222 -l me -i /k -o StrictHostKeyChecking=no -- host"), args[:len(args)-1])
	e, err = parseURI("qemu+ssh://host/system?socket=/it's")
	require.NoError(t, err)
	assert.Equal(t, `if test -S '/it'\''s'; then exec 'nc' -U '/it'\''s'; fi; echo there is no socket of libvirt >&2; exit 1`, remoteScript(e))
}
