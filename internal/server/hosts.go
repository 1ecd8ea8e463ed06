package server

import (
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Hosts says which Host headers are answered. It is for a server whose keys
// are public: a page in a browser of the same machine could otherwise reach it
// under a name of its own that it lets point here (DNS rebinding).
type Hosts struct {
	names []string // beside loopback's
	any   bool     // any address, as opposed to a name, is answered
}

// NewHosts answers to loopback, to the host of a URL ("": of none), and to the
// host and address that are listened on. Where these are all of the machine's addresses, any address is answered:
// only a name can be made to point elsewhere.
func NewHosts(listen string, bound net.Addr, reached string) *Hosts {
	h := &Hosts{}
	if u, err := url.Parse(reached); err == nil && u.Host != "" {
		h.names = append(h.names, hostName(u.Host))
	}
	for _, hostPort := range []string{listen, bound.String()} {
		name := hostName(hostPort)
		if addr, err := netip.ParseAddr(name); name == "" || err == nil && addr.IsUnspecified() {
			h.any = true
		}
		h.names = append(h.names, name)
	}
	return h
}

// Answer reports whether a request with this Host header is answered.
func (h *Hosts) Answer(host string) bool {
	name := hostName(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if addr, err := netip.ParseAddr(name); err == nil && (h.any || addr.IsLoopback()) {
		return true
	}
	return name != "" && slices.Contains(h.names, name)
}

// hostName is a host without its port, its brackets and the dot of the root,
// in lower case.
func hostName(hostPort string) string {
	name := hostPort
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		name = host
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
}

// foreignHost tells a person at a terminal what to write instead.
const foreignHost = "the keys of this demo are public, so it answers only under localhost and the address that it listens on; " +
	"use one of these in the URL"
