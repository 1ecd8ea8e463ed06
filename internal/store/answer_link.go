package store

import (
	"errors"

	"hither/internal/iam"
)

// LinkAnswerFacts implements iam.Tx.
func (t *tx) LinkAnswerFacts(id, userID iam.ID) (iam.LinkAnswerFacts, error) {
	if err := t.lockAccountOf(id); err != nil {
		return iam.LinkAnswerFacts{}, err
	}
	if _, err := t.shareUser(userID); err != nil {
		return iam.LinkAnswerFacts{}, err
	}
	if t.locks != nil {
		if err := t.lockUsers(`u.email = (SELECT m.email FROM memberships m WHERE m.id = $1) FOR SHARE`, false, string(id)); err != nil {
			return iam.LinkAnswerFacts{}, err
		}
	}
	answer, generation, err := t.answerFacts(id, userID, `LEFT JOIN`)
	if err != nil {
		return iam.LinkAnswerFacts{}, err
	}
	facts := iam.LinkAnswerFacts{AnswerFacts: answer, Generation: generation}
	holder, err := t.userByEmail(answer.Invitation.Email)
	switch {
	case err == nil:
		facts.Holder = &holder
	case !errors.Is(err, iam.ErrNoRow):
		return iam.LinkAnswerFacts{}, err
	}
	return facts, nil
}
