package qmptls

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// LoadClient loads a directory of QEMU's tls-creds-x509 for a client: the
// authorities in ca-cert.pem, and no others are trusted; the list of revoked
// certificates in ca-crl.pem, if there is one; and client-cert.pem and
// client-key.pem, if they exist, for servers that have verify-peer=on.
func LoadClient(dir string) (*tls.Config, error) {
	cfg, err := load(dir, "client", true)
	if err != nil {
		return nil, fmt.Errorf("qmptls: client's credentials: %w", err)
	}
	return cfg, nil
}

// LoadServer loads such a directory for a server: it reads server-cert.pem and
// server-key.pem in place of the client's files. Clients need a certificate from one of the
// authorities, as with verify-peer=on; to accept clients without one, set ClientAuth.
func LoadServer(dir string) (*tls.Config, error) {
	cfg, err := load(dir, "server", false)
	if err != nil {
		return nil, fmt.Errorf("qmptls: server's credentials: %w", err)
	}
	cfg.ClientCAs, cfg.ClientAuth = cfg.RootCAs, tls.RequireAndVerifyClientCert
	return cfg, nil
}

func load(dir, who string, optional bool) (*tls.Config, error) {
	authorities, err := loadAuthorities(filepath.Join(dir, "ca-cert.pem"))
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{RootCAs: x509.NewCertPool()}
	for _, a := range authorities {
		cfg.RootCAs.AddCert(a)
	}
	list, err := loadRevoked(filepath.Join(dir, "ca-crl.pem"), authorities)
	if err != nil {
		return nil, err
	}
	if list != nil {
		cfg.VerifyConnection = list.verify
	}
	cert, key := filepath.Join(dir, who+"-cert.pem"), filepath.Join(dir, who+"-key.pem")
	if optional && missing(cert) && missing(key) {
		return cfg, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("%s and %s-key.pem: %w", cert, who, err)
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

func loadAuthorities(path string) ([]*x509.Certificate, error) {
	var list []*x509.Certificate
	err := eachBlock(path, "CERTIFICATE", func(der []byte) error {
		c, err := x509.ParseCertificate(der)
		list = append(list, c)
		return err
	})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s: the file contains no certificate", path)
	}
	return list, err
}

// eachBlock calls f with the content of each block of the given kind in a PEM file.
func eachBlock(path, kind string, f func(der []byte) error) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			return nil
		}
		if block.Type != kind {
			continue
		}
		if err := f(block.Bytes); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}
