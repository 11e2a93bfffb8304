package qmptls

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"
)

// revoked has the authorities' lists of revoked certificates, which crypto/tls does
// not check itself.
type revoked struct {
	path  string
	lists []*x509.RevocationList
}

// loadRevoked returns nil if there is no file.
func loadRevoked(path string, authorities []*x509.Certificate) (*revoked, error) {
	r := &revoked{path: path}
	err := eachBlock(path, "X509 CRL", func(der []byte) error {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return err
		}
		r.lists = append(r.lists, list)
		if !slices.ContainsFunc(authorities, func(a *x509.Certificate) bool {
			return list.CheckSignatureFrom(a) == nil
		}) {
			return fmt.Errorf("none of the authorities has signed the list of %s", list.Issuer)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && len(r.lists) == 0 {
		err = fmt.Errorf("%s: the file contains no list of revoked certificates", path)
	}
	return r, err
}

// verify refuses a peer whose every chain has a certificate that was revoked.
func (r *revoked) verify(state tls.ConnectionState) error {
	var why error
	for _, chain := range state.VerifiedChains {
		if why = r.verifyChain(chain); why == nil {
			return nil
		}
	}
	return why
}

func (r *revoked) verifyChain(chain []*x509.Certificate) error {
	for _, c := range chain {
		for _, list := range r.lists {
			if !bytes.Equal(list.RawIssuer, c.RawIssuer) {
				continue
			}
			if !list.NextUpdate.IsZero() && time.Now().After(list.NextUpdate) {
				return fmt.Errorf("%s: the list of %s is out of date since %v", r.path, list.Issuer, list.NextUpdate)
			}
			for _, entry := range list.RevokedCertificateEntries {
				if entry.SerialNumber.Cmp(c.SerialNumber) == 0 {
					return fmt.Errorf("the certificate of %s was revoked by %s", c.Subject, list.Issuer)
				}
			}
		}
	}
	return nil
}
