package main

import "hither/internal/rate"

// rateSettings are how often a server is asked.
type rateSettings struct {
	RateLimit        rate.Policy `default:"1200/5m" env:"HITHER_RATE_LIMIT" help:"How many requests a user with all its keys and tokens, or an operator token, may make to the API, and in which time; off is any number. Each process counts for itself." placeholder:"N/TIME"`
	AddressRateLimit rate.Policy `default:"200/1s" env:"HITHER_ADDRESS_RATE_LIMIT" help:"How many requests may come from one address, of IPv6 one /64, and in which time; off is any number. Behind a proxy it needs --trusted-proxies, or the proxy is that one address." placeholder:"N/TIME"`
}
