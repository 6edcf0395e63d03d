package app

import (
	"crypto/tls"
	"fmt"

	"github.com/liao-im/liao/internal/transport"
)

// loadTLS reads a certificate with its key; both empty is no TLS.
func loadTLS(key, certFile, keyFile string) (*tls.Config, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil //nolint:nilnil // no certificate is no TLS
	}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return transport.ServerTLS(&tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}), nil
}
