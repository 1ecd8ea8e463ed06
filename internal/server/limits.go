package server

import (
	"crypto/tls"
	"fmt"
	"time"
)

// Limits bound what one client may cost. The size of bodies is the api's
// limit, since it depends on the route.
type Limits struct {
	ReadHeader     time.Duration // from the first byte of a request to the last of its headers
	Read           time.Duration // from there to the last byte of its body
	Handle         time.Duration // of work on a request, waiting for its body and for the store included
	Write          time.Duration // from the end of the headers to the end of the answer
	Idle           time.Duration // between two requests of a connection
	MaxHeaderBytes int           // of the request line and the headers; more is 431
	MaxConnections int           // open at once; more wait in the kernel's queue
	MaxStreams     int           // requests at once on one HTTP/2 connection
}

// DefaultLimits are generous for an API whose ordinary body is a few hundred
// bytes long.
func DefaultLimits() Limits {
	return Limits{
		ReadHeader:     5 * time.Second,
		Read:           15 * time.Second,
		Handle:         20 * time.Second,
		Write:          30 * time.Second, // more than Handle, so that who waited too long for the store is told so
		Idle:           90 * time.Second,
		MaxHeaderBytes: 32 << 10,
		MaxConnections: 4096,
		MaxStreams:     100,
	}
}

// slack is what net/http adds to MaxHeaderBytes by itself.
const slack = 4 << 10

// TLS reads a certificate with its chain and its private key, both PEM, for a
// listener that speaks TLS 1.2 at least.
func TLS(certFile, keyFile string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, fmt.Errorf("load the certificate %s with the key %s: %w", certFile, keyFile, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}
