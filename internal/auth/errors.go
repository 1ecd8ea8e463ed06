package auth

import "strings"

// Fault says what is wrong with the credentials of a request.
type Fault uint8

// The faults. Whoever shows an UnknownPair, an InvalidToken or an InvalidSession
// is not told why.
const (
	Missing        Fault = iota // none were shown
	Malformed                   // a header cannot hold credentials; Headers says which
	Mixed                       // key pair and token do not belong to one user
	UnknownPair                 // no such key, not of this address, disabled, or its user suspended
	InvalidToken                // no such token, revoked, past its time, or its user suspended
	InvalidSession              // no such session, ended, past its time or unused for too long, or its user suspended
)

// Error refuses the credentials of a request.
type Error struct {
	Fault   Fault
	Headers []string // the malformed ones
	Reason  string   // for the log only; holds nothing of the credentials
}

func (e *Error) Error() string {
	switch e.Fault {
	case Missing:
		return "no credentials"
	case Malformed:
		return "malformed " + strings.Join(e.Headers, ", ")
	case Mixed, UnknownPair, InvalidToken, InvalidSession:
	}
	return "credentials refused: " + e.Reason
}
