package iam

import (
	"net/netip"
	"time"
)

// What is let through in a stretch of time. Subjects are blinded: what is
// counted outlives a restart, and tells nobody who has the database whose it is.
//
// Mails to an address are counted in stretches that are as long as a mailed link
// lives. So whoever is refused one, since strangers asked for it again and again,
// has a link in the mailbox that still works, in any browser: nobody can be kept
// out by asking. They are counted by the address as it was given, not by its
// mailbox: those of a plus-address that has no user are never sent.
const (
	asksPerAddress  = 3   // mails in ChallengeLife
	asksPerPair     = 2   // of them for one client
	asksOfKnown     = 3   // beside them, for a browser that is known at the address
	asksPerClient   = 100 // mails asked for in attemptStretch
	linksPerMailbox = 5   // mails an hour with an invitation's link, which lives for days, for holders of shown ones
	codesPerAddress = 10  // wrong ones in attemptStretch
	codesPerDay     = 100 // wrong ones of an address (NIST SP 800-63B)
	fewPerClient    = 100 // wrong codes and dead links in attemptStretch
	guessesPerUser  = 10  // wrong codes of its second factor in attemptStretch
	guessesPerDay   = 50  // of 3 in a million each

	attemptStretch = 15 * time.Minute
)

// asking are the tallies of whoever asks for a mail that proves a challenge. A
// browser that is known has some that no stranger can spend. Each purpose has its
// own: a mail for another one lets nobody in.
func (s SignIn) asking(c Challenge, visitor Visitor, now time.Time) []Tally {
	name, address := "ask_"+string(c.Purpose), s.Secrets.Blind(c.Email)
	if visitor.knownAt(c) {
		return []Tally{tallyOf(name+"_known", address, ChallengeLife, asksOfKnown, now)}
	}
	from := client(visitor.RemoteAddr)
	return []Tally{
		tallyOf(name, address, ChallengeLife, asksPerAddress, now),
		tallyOf(name+"_pair", s.Secrets.Blind(from+" "+c.Email), ChallengeLife, asksPerPair, now),
		tallyOf("ask_client", s.Secrets.Blind(from), attemptStretch, asksPerClient, now),
	}
}

// askingForLink are the tallies of who holds a shown link and asks for the mailed
// one. One mail is as good as the next, so these are few, and by mailbox.
func (s SignIn) askingForLink(email string, holder LinkHolder, now time.Time) []Tally {
	return []Tally{
		tallyOf("ask_link", s.Secrets.Blind(Mailbox(email)), time.Hour, linksPerMailbox, now),
		tallyOf("ask_client", s.Secrets.Blind(client(holder.RemoteAddr)), attemptStretch, asksPerClient, now),
	}
}

// knownAt says that the browser proved before that it reads the mailbox which it
// signs in by. Of the new one of a changed address nobody knows that: were it told
// apart by whether somebody has it, the limits would tell so.
func (v Visitor) knownAt(c Challenge) bool {
	return c.Purpose == ForSignIn && (c.UserID != "" && v.Known == c.UserID || v.HasRead != "" && v.HasRead == c.Email)
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
		tallyOf("factor_client", s.Secrets.Blind(client(actor.RemoteAddr)), attemptStretch, fewPerClient, now),
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
