package libvirt

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// An endpoint says where a libvirt is and how it is reached.
type endpoint struct {
	text      string // the URI that it was made of
	transport string // unix, ssh, tls or tcp
	user      string
	host      string
	port      string // "": the default of the transport
	session   bool   // the libvirt of a user
	params    map[string]string
}

// The parameters that URIs may have, by transport.
var parameters = map[string][]string{
	"unix": {"socket", "mode"},
	"ssh":  {"socket", "mode", "command", "keyfile", "no_tty", "no_verify", "proxy", "netcat"},
	"tls":  {"pkipath", "no_verify", "no_tty"},
	"tcp":  {},
}

// allowed lists the values of parameters that accept only certain values.
var allowed = map[string][]string{
	"mode":      {"auto", "legacy", "direct"},
	"proxy":     {"auto", "native", "netcat"},
	"no_tty":    {"0", "1"},
	"no_verify": {"0", "1"},
}

// parseURI reads a URI of libvirt's QEMU driver.
func parseURI(text string) (*endpoint, error) {
	e, err := splitURI(text)
	if err != nil {
		return nil, fmt.Errorf("URI %q: %w", withoutPassword(text), err)
	}
	return e, nil
}

// withoutPassword returns a URI for an error, without what may be a password. A password that is not
// escaped may have any character, also those that end it in a URI, such as "@" and "/".
func withoutPassword(uri string) string {
	if u, err := url.Parse(uri); err == nil && !mayHavePassword(u) {
		return uri
	}
	end := strings.LastIndex(uri, "@")
	begin := 0
	if i := strings.Index(uri, "://"); i >= 0 {
		begin = i + len("://")
	}
	if end < begin {
		return uri
	}
	user, _, has := strings.Cut(uri[begin:end], ":")
	if !has {
		return uri
	}
	return uri[:begin] + user + ":…" + uri[end:]
}

// mayHavePassword reports whether u has a password, or an "@" where only one that is not escaped can have
// brought it.
func mayHavePassword(u *url.URL) bool {
	_, has := u.User.Password()
	rest := u.Opaque + u.Path + u.Fragment
	if !isDriverPath(u.Path) {
		rest += u.RawQuery
	}
	return has || strings.Contains(rest, "@")
}

// isDriverPath reports whether a URI of the QEMU driver can have this path.
func isDriverPath(path string) bool { return path == "/system" || path == "/session" }

func splitURI(text string) (*endpoint, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil && withoutPassword(text) != text: // err may have a part of the password
		return nil, fmt.Errorf("it is not valid; leave out the password, which is not used")
	case err != nil:
		return nil, err.(*url.Error).Err
	}
	driver, transport, _ := strings.Cut(u.Scheme, "+")
	e := &endpoint{text: text, transport: transport, host: u.Hostname(), port: u.Port(), params: map[string]string{}}
	if u.User != nil {
		e.user = u.User.Username()
	}
	if e.transport == "" {
		e.transport = "unix"
		if e.host != "" {
			e.transport = "tls"
		}
	}
	known, ok := parameters[e.transport]
	switch _, password := u.User.Password(); {
	case driver != "qemu":
		return nil, fmt.Errorf("it does not begin with qemu:/// or qemu+TRANSPORT://")
	case !ok:
		return nil, fmt.Errorf("the transport %q is not one of unix, ssh, tls and tcp", e.transport)
	case u.Opaque != "" || !isDriverPath(u.Path):
		return nil, fmt.Errorf("its path is neither /system nor /session")
	case password:
		return nil, fmt.Errorf("it has a password, which is not used")
	case u.Fragment != "":
		return nil, fmt.Errorf("what follows # has no meaning")
	}
	e.session = u.Path == "/session"
	if err := e.setParameters(u.RawQuery, known); err != nil {
		return nil, err
	}
	return e, e.check()
}

func (e *endpoint) setParameters(query string, known []string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return err
	}
	for name, v := range values {
		switch ok := allowed[name]; {
		case !slices.Contains(known, name):
			return fmt.Errorf("the parameter %q is unknown with the transport %s", name, e.transport)
		case len(v) > 1:
			return fmt.Errorf("the parameter %q is there twice", name)
		case ok != nil && !slices.Contains(ok, v[0]):
			return fmt.Errorf("the parameter %s is %q, not one of %s", name, v[0], strings.Join(ok, ", "))
		}
		e.params[name] = v[0]
	}
	return nil
}

// check refuses what does not fit the transport. It also refuses a host or a user that ssh would
// read as an option.
func (e *endpoint) check() error {
	switch {
	case e.transport == "unix" && (e.host != "" || e.user != ""):
		return fmt.Errorf("it has a host, but the transport unix is for this host")
	case e.transport != "unix" && e.host == "":
		return fmt.Errorf("it has no host; a URI of this host begins with qemu:///")
	case e.transport != "ssh" && e.user != "":
		return fmt.Errorf("it has a user, which only the transport ssh has")
	case strings.HasPrefix(e.host, "-") || strings.HasPrefix(e.user, "-"):
		return fmt.Errorf("its host or user begins with -")
	case e.params["proxy"] == "native" && (e.params["socket"] != "" || e.params["netcat"] != ""):
		return fmt.Errorf("with proxy=native it can have neither socket nor netcat")
	case e.params["socket"] != "" && !path.IsAbs(e.params["socket"]):
		return fmt.Errorf("the path of its socket is not absolute")
	}
	return nil
}

// key returns the same text for all endpoints that are known to lead to the same libvirt.
func (e *endpoint) key() string {
	scope := "system"
	if e.session {
		scope = "session"
	}
	return strings.Join([]string{e.transport, e.user, e.host, e.port, scope, e.params["socket"]}, " ")
}

// name is what the libvirt at the other end is asked to open.
func (e *endpoint) name() string {
	if e.session {
		return "qemu:///session"
	}
	return "qemu:///system"
}

// sockets returns the paths at which a libvirt may listen on its own host. The first that exists is
// used.
func (e *endpoint) sockets(runtime string) []string {
	if s := e.params["socket"]; s != "" {
		return []string{s}
	}
	modular, legacy := path.Join(runtime, "virtqemud-sock"), path.Join(runtime, "libvirt-sock")
	switch e.params["mode"] {
	case "legacy":
		return []string{legacy}
	case "direct":
		return []string{modular}
	}
	return []string{modular, legacy}
}

// runtimeDir is the folder of the sockets on this host.
func (e *endpoint) runtimeDir() (string, error) {
	if !e.session {
		return "/run/libvirt", nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "libvirt"), nil
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "libvirt"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".cache", "libvirt"), nil
}

// address is where a network transport connects to.
func (e *endpoint) address(usual string) string {
	port := e.port
	if port == "" {
		port = usual
	}
	return net.JoinHostPort(e.host, port)
}
