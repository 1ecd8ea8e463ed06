package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"hither/internal/iam"
)

// errAddress means that a name leads where nothing is sent to.
var errAddress = errors.New("an address that events are not sent to")

const (
	dialTimeout = 5 * time.Second // for each address
	maxDials    = 4               // addresses of one name that are tried
)

// dialer connects to where events may be sent, for URLs of one scheme. What a name
// leads to is looked up here, at each connection, and all of it has to be permitted:
// who answers with a public and a private address is refused whichever comes first.
// Then the addresses themselves are connected to, so that a name which leads
// elsewhere a moment later is not asked again; and once more the socket is held to
// the rule, whatever was looked up.
type dialer struct {
	scheme string
	policy iam.WebhookPolicy
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dial   net.Dialer
}

func newDialer(scheme string, policy iam.WebhookPolicy, lookup func(ctx context.Context, host string) ([]netip.Addr, error)) *dialer {
	d := &dialer{scheme: scheme, policy: policy, lookup: lookup, dial: net.Dialer{Timeout: dialTimeout}}
	d.dial.Control = d.control
	return d
}

// control refuses a socket just before it is connected.
func (d *dialer) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !d.policy.Permits(d.scheme, to.Addr()) {
		return errAddress
	}
	return nil
}

// connect is the DialContext of a transport.
func (d *dialer) connect(ctx context.Context, _, address string) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("read an address: %w", err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("read a port: %w", err)
	}
	addrs, err := d.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	var failures []error
	for _, addr := range addrs[:min(len(addrs), maxDials)] {
		conn, err := d.dial.DialContext(ctx, "tcp", netip.AddrPortFrom(addr, uint16(port)).String())
		if err == nil {
			return conn, nil
		}
		failures = append(failures, err)
	}
	return nil, errors.Join(failures...)
}

// addresses are those of a host, all of which are permitted.
func (d *dialer) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs := []netip.Addr{}
	if addr, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, addr)
	} else {
		found, err := d.lookup(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("look a name up: %w", err)
		}
		for _, addr := range found {
			addrs = append(addrs, addr.Unmap()) // the resolver writes IPv4 addresses so
		}
	}
	if len(addrs) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	for _, addr := range addrs {
		if !d.policy.Permits(d.scheme, addr) {
			return nil, fmt.Errorf("%s leads to %s: %w", host, addr, errAddress)
		}
	}
	return addrs, nil
}
