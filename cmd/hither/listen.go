package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// listen binds an address. What can go wrong here is what goes wrong most
// often when a program is first tried, so each case says the way out.
func listen(ctx context.Context, flag, asked string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(asked)
	if err != nil {
		return nil, usageError{fmt.Sprintf("%s %s: not of the form HOST:PORT; write for example %s 127.0.0.1:8787", flag, asked, flag)}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", asked)
	if err == nil {
		return listener, nil
	}
	var (
		resolve *net.DNSError
		address *net.AddrError
	)
	switch {
	case errors.As(err, &address):
		return nil, usageError{fmt.Sprintf("%s %s: %q is no port; write a number up to 65535, or 0 for any that is free", flag, asked, port)}
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s %s: another program listens there already; stop it, or choose another port: %s %s",
			flag, asked, flag, net.JoinHostPort(host, nextPort(port)))
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s %s: not allowed; ports below 1024 need a privilege (on Linux CAP_NET_BIND_SERVICE), or choose another port: %s %s",
			flag, asked, flag, net.JoinHostPort(host, "8787"))
	case errors.Is(err, syscall.EADDRNOTAVAIL), errors.As(err, &resolve):
		return nil, fmt.Errorf("%s %s: this machine has no such address; use one of its own, for example %s %s: %w",
			flag, asked, flag, net.JoinHostPort("127.0.0.1", port), err)
	default:
		return nil, fmt.Errorf("%s %s: %w", flag, asked, err)
	}
}

func nextPort(port string) string {
	number, err := strconv.Atoi(port)
	if err != nil || number >= 65535 {
		return "8788"
	}
	return strconv.Itoa(number + 1)
}

// baseURL is where the listener is reached from this machine: under the host
// that was asked for, or by loopback where that is every address.
func baseURL(scheme, address string, listener net.Listener) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		host = "127.0.0.1"
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return scheme + "://" + listener.Addr().String()
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// loopback reports whether only this machine can reach the listener.
func loopback(listener net.Listener) bool {
	address, ok := listener.Addr().(*net.TCPAddr)
	return ok && address.IP.IsLoopback()
}
