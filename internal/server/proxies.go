package server

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks whose X-Forwarded-For is believed. The zero value
// believes nobody's.
type Proxies struct {
	trusted []netip.Prefix
}

// ParseProxies reads networks, as 10.0.0.0/8 or fd00::/8, and single addresses.
// One that takes in everybody is refused: each client could choose its address.
func ParseProxies(networks []string) (Proxies, error) {
	var p Proxies
	for _, text := range networks {
		prefix, err := parseNetwork(strings.TrimSpace(text))
		if err != nil {
			return Proxies{}, err
		}
		p.trusted = append(p.trusted, prefix)
	}
	return p, nil
}

func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is neither a network, such as 10.0.0.0/8, nor an address", text)
	}
	// Addresses are compared as IPv4 where they are, so networks have to be too.
	const mapped = 96
	if prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
	}
	switch {
	case prefix.Bits() == 0:
		return netip.Prefix{}, fmt.Errorf("%s is everybody: each client could choose its own address; name the proxies' network", text)
	case prefix != prefix.Masked():
		return netip.Prefix{}, fmt.Errorf("%s names an address within a network; the network is %s", text, prefix.Masked())
	}
	return prefix, nil
}

// maxHops is how far back the way of a request is followed. Nobody has as many
// proxies of its own; what lies beyond is what a client wrote.
const maxHops = 32

// client is the address that a request comes from: the peer's, or where that is
// a trusted proxy, the last one on the way that is none. Each proxy adds whom it
// heard, so what stands left of that address is the client's own claim. Where the
// way breaks off, at something that is no address, it is the last one that is
// known. Other headers are never looked at.
func (p Proxies) client(r *http.Request) netip.Addr {
	client := addressOf(r.RemoteAddr)
	hops := r.Header.Values("X-Forwarded-For")
	left := maxHops
	for _, said := range slices.Backward(hops) {
		for rest, more := said, true; more; left-- {
			if left == 0 || !p.trusts(client) {
				return client
			}
			hop := rest
			comma := strings.LastIndexByte(rest, ',')
			if more = comma >= 0; more {
				rest, hop = rest[:comma], rest[comma+1:]
			}
			addr := addressOf(strings.Trim(hop, " \t"))
			if !addr.IsValid() || addr.IsUnspecified() {
				return client
			}
			client = addr
		}
	}
	return client
}

func (p Proxies) trusts(addr netip.Addr) bool {
	return addr.IsValid() && slices.ContainsFunc(p.trusted, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// addressOf reads an address with or without a port, which some proxies add. It
// is IPv4 where that stands in IPv6, and has no zone.
func addressOf(text string) netip.Addr {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return at.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// place puts the client's address where net/http has the peer's, so that whoever
// reads it behind this, for limits, audit rows and sessions, reads the same. It
// returns the peer's where that is another. The request is the server's own.
func (p Proxies) place(r *http.Request) (peer string) {
	if len(p.trusted) == 0 {
		return ""
	}
	heard := addressOf(r.RemoteAddr)
	client := p.client(r)
	if client == heard {
		return ""
	}
	r.RemoteAddr = net.JoinHostPort(client.String(), "0")
	return heard.String()
}
