package iam

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
)

// newRecoveryCodes draws a set of codes as people read them, XXXXX-XXXXX.
func newRecoveryCodes() []string {
	codes := make([]string, recoveryCodes)
	for i := range codes {
		code := drawText(recoveryAlphabet, recoveryLength)
		codes[i] = code[:recoveryLength/2] + "-" + code[recoveryLength/2:]
	}
	return codes
}

// drawText draws characters of an alphabet of at most 32, each as likely as the
// others: five bits at a time choose one, and those beyond it are passed over.
func drawText(alphabet string, length int) string {
	const five = 1<<5 - 1
	var text strings.Builder
	for text.Len() < length {
		b := make([]byte, 2*length)
		_, _ = rand.Read(b) // never fails: it ends the process instead
		for _, c := range b {
			if i := int(c & five); i < len(alphabet) && text.Len() < length {
				_ = text.WriteByte(alphabet[i]) // never fails
			}
		}
	}
	return text.String()
}

// blinded is how a set of codes is kept.
func (s SignIn) blinded(userID ID, codes []string) []string {
	kept := make([]string, len(codes))
	for i, code := range codes {
		kept[i] = s.Secrets.Blind(recoveryText(userID, code))
	}
	return kept
}

// RenewRecoveryCodes draws recovery codes in place of those that there are, and
// returns them, which are shown this once.
func (s *Service) RenewRecoveryCodes(ctx context.Context, actor Actor) ([]string, error) {
	if err := s.ownSession(actor); err != nil {
		return nil, err
	}
	codes := newRecoveryCodes()
	kept := s.signIn.blinded(actor.User.ID, codes)
	entry := actor.Entry(s.newID(), RecoveryRenew, "", actor.User.ID)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		facts, err := tx.FactorFacts(actor.User.ID)
		if err != nil {
			return struct{}{}, missing(err, notFound("user"))
		}
		if err := errors.Join(mustBeActive(facts.User), actor.fresh(tx.Now())); err != nil {
			return struct{}{}, err
		}
		if facts.Factor == nil {
			return struct{}{}, refuse(NotFound, "there is no second factor that recovery codes could stand in for; set one up first")
		}
		if err := tx.KeepRecoveryCodes(facts.User.ID, kept, *entry); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, s.mailing.queue(tx, noticeOf(RecoveryRenewed, facts.User, *entry, tx.Now()))
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}
