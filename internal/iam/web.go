package iam

import (
	"net"
	"net/url"
)

// Loopback reports whether a host of a URL is this machine itself, by its name alone:
// what a name resolves to is not asked.
func Loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Sheltered reports whether nobody on the way reads or changes what is sent to a URL:
// it is one of https, or of http that does not leave this machine.
func Sheltered(u *url.URL) bool {
	return u.Scheme == "https" || u.Scheme == "http" && Loopback(u.Hostname())
}
