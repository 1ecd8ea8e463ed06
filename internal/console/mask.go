package console

import "strings"

// masked is an address as somebody sees it who has not proven that it is
// theirs: enough to recognize one's own, too little to learn another's.
func masked(email string) string {
	at := strings.LastIndexByte(email, '@')
	if at < 1 {
		return "•••"
	}
	return email[:1] + "•••" + email[at:]
}
