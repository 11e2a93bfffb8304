package qemutest

import (
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// Netcat lets a test program serve as netcat: if its arguments are -U and a path, Netcat connects standard
// input and output to that Unix socket, and exits. TestMain calls it.
func Netcat() {
	if len(os.Args) != 3 || os.Args[1] != "-U" {
		return
	}
	conn, err := net.Dial("unix", os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		_, _ = io.Copy(conn, os.Stdin)
		os.Exit(0)
	}()
	_, _ = io.Copy(os.Stdout, conn)
	os.Exit(0)
}

// SSHURI returns the URI, for libvirt.Dial, of a libvirtd that is reached through the server. proxy is
// native, or netcat, for which this program is used (see [Netcat]).
func (s *SSHD) SSHURI(t testing.TB, l *Libvirtd, proxy string) string {
	t.Helper()
	script := filepath.Join(t.TempDir(), "ssh")
	text := fmt.Sprintf("#!/bin/sh\nexec ssh -F none -o UserKnownHostsFile=%s \"$@\"\n", s.KnownHosts)
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	query := url.Values{"command": {script}, "keyfile": {s.Key}, "proxy": {proxy}}
	if proxy == "netcat" {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		query.Set("netcat", self)
		query.Set("socket", l.Socket())
	}
	return "qemu+ssh://" + s.User + "@" + s.Addr + "/session?" + query.Encode()
}

// An SSHD is a server on the loopback address that starts an sshd for each connection.
type SSHD struct {
	Addr       string // host and port
	User       string // who may log in
	Key        string // the file of the key to log in with
	KnownHosts string // a file for clients that knows the server

	mu    sync.Mutex
	procs []*exec.Cmd
}

// StartSSHD starts a server. Without sshd or ssh the test is skipped, or fails if
// QAPI_REQUIRE_LIBVIRT is set. It ends with the test. env are variables of those who log in: NAME=value.
func StartSSHD(t testing.TB, env ...string) *SSHD {
	t.Helper()
	for _, name := range []string{"sshd", "ssh", "ssh-keygen"} {
		if program(name) != "" {
			continue
		}
		if os.Getenv("QAPI_REQUIRE_LIBVIRT") != "" {
			t.Fatal("there is no " + name)
		}
		t.Skip("no SSH: there is no " + name)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := &SSHD{
		User: me.Username, Key: filepath.Join(dir, "own"), KnownHosts: filepath.Join(dir, "known"),
	}
	for _, name := range []string{"own", "host"} {
		if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("ssh-keygen: %v: %s", err, out)
		}
	}
	config := filepath.Join(dir, "config")
	text := fmt.Sprintf("HostKey %[1]s/host\nAuthorizedKeysFile %[1]s/own.pub\nStrictModes no\nUsePAM no\n"+
		"PermitRootLogin prohibit-password\nPidFile none\nLogLevel ERROR\n", dir)
	for _, v := range env {
		text += "SetEnv " + v + "\n"
	}
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // where Debian's sshd has it
			t.Fatal(err)
		}
	}
	s.listen(t, config)
	host, err := os.ReadFile(filepath.Join(dir, "host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	name, port, _ := net.SplitHostPort(s.Addr)
	if err := os.WriteFile(s.KnownHosts, fmt.Appendf(nil, "[%s]:%s %s", name, port, host), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *SSHD) listen(t testing.TB, config string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = l.Addr().String()
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if err := s.serve(&running, conn.(*net.TCPConn), config); err != nil {
				t.Errorf("sshd: %v", err)
				return
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.Cut()
		running.Wait()
	})
}

func (s *SSHD) serve(running *sync.WaitGroup, conn *net.TCPConn, config string) error {
	defer func() { _ = conn.Close() }()
	f, err := conn.File()
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(program("sshd"), "-i", "-e", "-f", config)
	cmd.Stdin, cmd.Stdout = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.mu.Lock()
	s.procs = append(s.procs, cmd)
	s.mu.Unlock()
	running.Go(func() { _ = cmd.Wait() }) // usually it was killed
	return nil
}

// Cut ends all connections.
func (s *SSHD) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, cmd := range s.procs {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what it started, too
	}
	s.procs = nil
}
