package server

import (
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"hither/internal/rate"
)

// addressLimiter counts requests by the client's address.
type addressLimiter = rate.Limiter[netip.Addr]

// policies are the limits as RateLimit-Policy tells them.
func (o Options) policies() string {
	var all []string
	if !o.Rate.Off() {
		all = append(all, o.Rate.Describe("default"))
	}
	if !o.AddressRate.Off() {
		all = append(all, o.AddressRate.Describe("address"))
	}
	return strings.Join(all, ", ")
}

// admit counts a request by where it comes from, before anything is looked up
// for it, and answers one that is too many. The principal's own count, which
// the API keeps, replaces this one in the answer where there is a principal.
func (s *Server) admit(x *exchange, r *http.Request) bool {
	if s.policies != "" {
		x.Header().Set(rate.PolicyHeader, s.policies)
	}
	if s.addresses == nil {
		return true
	}
	standing := s.addresses.Take(origin(r))
	x.Header().Set(rate.Header, standing.Describe("address"))
	if !standing.Refused {
		return true
	}
	x.Header().Set("Retry-After", strconv.Itoa(standing.Seconds()))
	x.Header().Set("X-Should-Retry", "true")
	x.refuse(http.StatusTooManyRequests, codeTooMany, fmt.Sprintf(
		"too many requests: %d within %s have come from this address; ask again in %d s, as Retry-After says",
		s.AddressRate.Quota, s.AddressRate.Window, standing.Seconds()))
	return false
}

// origin is the client's address, or its network where it has one to itself: of
// IPv6 everybody has 2^64 addresses.
func origin(r *http.Request) netip.Addr {
	const own = 64
	addr := addressOf(r.RemoteAddr)
	if addr.Is6() {
		if network, err := addr.Prefix(own); err == nil {
			return network.Addr()
		}
	}
	return addr
}
