package iam

import (
	"net/netip"
	"time"
)

// What is let through in a stretch of time. Subjects are blinded: what is
// counted outlives a restart, and tells nobody who has the database whose it is.
const (
	asksPerAddress  = 5   // mails an hour
	asksPerClient   = 100 // mails asked for in attemptStretch
	codesPerAddress = 10  // wrong ones in attemptStretch
	codesPerDay     = 100 // wrong ones of an address (NIST SP 800-63B)
	fewPerClient    = 100 // wrong codes and dead links in attemptStretch
	guessesPerUser  = 10  // wrong codes of its second factor in attemptStretch
	guessesPerDay   = 50  // of 3 in a million each

	attemptStretch = 15 * time.Minute
)

// asking are the tallies of whoever asks for a mail to an address.
func (s SignIn) asking(email string, visitor Visitor, now time.Time) []Tally {
	return []Tally{
		tallyOf("ask_address", s.Secrets.Blind(Mailbox(email)), time.Hour, asksPerAddress, now),
		tallyOf("ask_client", s.Secrets.Blind(client(visitor.RemoteAddr)), attemptStretch, asksPerClient, now),
	}
}

// failing are the tallies of proofs that fail. Those of an address are of codes
// only: what cannot be guessed needs none, and so its user gets in by the link
// while others try codes.
func (s SignIn) failing(c Challenge, proof Proof, visitor Visitor, now time.Time) []Tally {
	tallies := []Tally{tallyOf("fail_client", s.Secrets.Blind(client(visitor.RemoteAddr)), attemptStretch, fewPerClient, now)}
	if proof.ByLink || c.ID == "" {
		return tallies
	}
	address := s.Secrets.Blind(Mailbox(c.Email))
	return append(tallies,
		tallyOf("fail_address", address, attemptStretch, codesPerAddress, now),
		tallyOf("fail_address_day", address, day, codesPerDay, now),
	)
}

// guessing are the tallies of wrong codes of a second factor. Nobody gets to try
// one who has not signed in as its user already, so nobody else is kept out.
func (s SignIn) guessing(user User, actor Actor, now time.Time) []Tally {
	subject := s.Secrets.Blind(string(user.ID))
	return []Tally{
		tallyOf("factor_user", subject, attemptStretch, guessesPerUser, now),
		tallyOf("factor_user_day", subject, day, guessesPerDay, now),
		tallyOf("fail_client", s.Secrets.Blind(client(actor.RemoteAddr)), attemptStretch, fewPerClient, now),
	}
}

// tooMany is the refusal of what a tally has no room for.
func tooMany(full Tally, now time.Time) error {
	return &Error{
		Kind: TooManyAttempts, RetryAfter: full.EndsOn.Sub(now),
		Message: "too many attempts; wait until " + full.EndsOn.Format(time.RFC3339) + ", then try again",
	}
}

// client is who is counted for an address of the network: in IPv6 a whole /64,
// which is what one subscriber has at least.
func client(remoteAddr string) string {
	addr, err := netip.ParseAddr(remoteAddr)
	if err != nil {
		return remoteAddr
	}
	addr = addr.Unmap()
	if addr.Is4() {
		return addr.String()
	}
	const subscriber = 64
	prefix, err := addr.WithZone("").Prefix(subscriber)
	if err != nil {
		return remoteAddr
	}
	return prefix.String()
}
