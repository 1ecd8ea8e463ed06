package iam

import (
	"context"
	"slices"
	"time"
)

// CreateKey makes an API key for a user and returns its secret, which is shown
// this once.
func (s *Service) CreateKey(ctx context.Context, actor Actor, userID ID, name string) (Key, string, error) {
	if err := mustOperate(actor); err != nil {
		return Key{}, "", err
	}
	secret := NewKeySecret()
	key, err := s.newKey(userID, name, secret)
	if err != nil {
		return Key{}, "", err
	}
	entry := actor.Entry(s.newID(), KeyCreate, "", key.ID)
	created, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Key, error) {
		return insertKey(tx, key, *entry)
	})
	return created, secret, err
}

// RotateKey makes a new key for the user of an old one, and ends the old one,
// in one go. Of any number who rotate the same key one does.
func (s *Service) RotateKey(ctx context.Context, actor Actor, userID, id ID, name string) (Key, string, error) {
	if err := mustOperate(actor); err != nil {
		return Key{}, "", err
	}
	secret := NewKeySecret()
	key, err := s.newKey(userID, name, secret)
	if err != nil {
		return Key{}, "", err
	}
	entry := actor.Entry(s.newID(), KeyCreate, "", key.ID)
	ended := actor.Entry(s.newID(), KeyDisable, "", id)
	created, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Key, error) {
		if err := tx.EndKeyOf(userID, id, ended); err != nil {
			return Key{}, missing(err, notLiving("key"))
		}
		return insertKey(tx, key, *entry)
	})
	return created, secret, err
}

// RotateOwnKey does the same for one of the actor's own keys, at most once for
// an idempotency key, and tells its user. It takes a key or a fresh session. The
// secret is "" where it was told before.
func (s *Service) RotateOwnKey(ctx context.Context, actor Actor, id ID, key IdempotencyKey) (Replayable[Key], string, error) {
	if err := actor.mayDrawKeys(s.now()); err != nil {
		return Replayable[Key]{}, "", err
	}
	old, err := s.ownKey(ctx, actor, id)
	if err != nil {
		return Replayable[Key]{}, "", err
	}
	secret := NewKeySecret()
	fresh, err := s.newKey(actor.User.ID, old.Name, secret)
	if err != nil {
		return Replayable[Key]{}, "", err
	}
	entry := actor.Entry(s.newID(), KeyCreate, "", fresh.ID)
	ended := actor.Entry(s.newID(), KeyDisable, "", id)
	made, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Replayable[Key], error) {
		user, err := actingUser(tx, actor)
		if err != nil {
			return Replayable[Key]{}, err
		}
		if err := actor.mayDrawKeys(tx.Now()); err != nil {
			return Replayable[Key]{}, err
		}
		return once(tx, actor, key, func() (Key, error) {
			if err := tx.EndKeyOf(user.ID, id, ended); err != nil {
				return Key{}, missing(err, notLiving("key"))
			}
			made := fresh
			made.CreatedOn = tx.Now()
			if err := tx.InsertKey(made, *entry); err != nil {
				return Key{}, err
			}
			made.Hash = [32]byte{} // it is kept with the outcome, and needed by nobody
			return made, s.mailing.queue(tx, noticeOf(KeyRotated, user, *entry, tx.Now()))
		})
	})
	if made.Replayed {
		secret = ""
	}
	return made, secret, err
}

// OwnKeys lists the actor's own keys, oldest first.
func (s *Service) OwnKeys(ctx context.Context, actor Actor) ([]Key, error) {
	if err := mustBeUser(actor); err != nil {
		return nil, err
	}
	return s.store.Keys(ctx, actor.User.ID)
}

func (s *Service) ownKey(ctx context.Context, actor Actor, id ID) (Key, error) {
	keys, err := s.OwnKeys(ctx, actor)
	if err != nil {
		return Key{}, err
	}
	at := slices.IndexFunc(keys, func(k Key) bool { return k.ID == id })
	if at < 0 {
		return Key{}, notFound("key")
	}
	return keys[at], nil
}

func (s *Service) newKey(userID ID, name, secret string) (Key, error) {
	name, err := line("/name", name, MaxCredentialName)
	return Key{ID: s.drawID(), UserID: userID, Name: name, Hash: HashSecret(secret)}, err
}

func insertKey(tx Tx, key Key, entry AuditEntry) (Key, error) {
	if _, err := tx.UserFacts(key.UserID); err != nil {
		return Key{}, missing(err, notFound("user"))
	}
	key.CreatedOn = tx.Now()
	return key, tx.InsertKey(key, entry)
}

// MaxCredentialName is the longest name of a key or token, in characters.
const MaxCredentialName = 120

// DisableKey ends a key: the next request with it is refused.
func (s *Service) DisableKey(ctx context.Context, actor Actor, id ID) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	entry := actor.Entry(s.newID(), KeyDisable, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		return struct{}{}, missing(tx.DisableKey(id, *entry), notFound("key"))
	})
	return err
}

// Keys lists a user's keys, oldest first.
func (s *Service) Keys(ctx context.Context, actor Actor, userID ID) ([]Key, error) {
	if err := mustOperate(actor); err != nil {
		return nil, err
	}
	return s.store.Keys(ctx, userID)
}

// CreateToken makes a bearer token with all rights of a user, or for userID ""
// one of the operator, and returns its secret, which is shown this once.
// expiresOn zero means that it has no end.
func (s *Service) CreateToken(ctx context.Context, actor Actor, userID ID, name string, expiresOn time.Time) (Token, string, error) {
	if err := mustOperate(actor); err != nil {
		return Token{}, "", err
	}
	name, err := line("/name", name, MaxCredentialName)
	if err != nil {
		return Token{}, "", err
	}
	secret := NewTokenSecret()
	token := Token{ID: s.drawID(), UserID: userID, Name: name, Hash: HashSecret(secret), ExpiresOn: expiresOn}
	entry := actor.Entry(s.newID(), TokenCreate, "", token.ID)
	created, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Token, error) {
		return insertToken(tx, token, *entry)
	})
	return created, secret, err
}

func insertToken(tx Tx, token Token, entry AuditEntry) (Token, error) {
	if !token.ExpiresOn.IsZero() && !token.ExpiresOn.After(tx.Now()) {
		return Token{}, invalid("/expires_on", "must lie ahead")
	}
	if token.UserID != "" {
		if _, err := tx.UserFacts(token.UserID); err != nil {
			return Token{}, missing(err, notFound("user"))
		}
	}
	token.CreatedOn = tx.Now()
	return token, tx.InsertToken(token, entry)
}

// RotateToken makes a new token for the owner of an old one, and ends the old
// one, in one go. Of any number who rotate the same token one does.
func (s *Service) RotateToken(ctx context.Context, actor Actor, old Token, expiresOn time.Time) (Token, string, error) {
	if err := mustOperate(actor); err != nil {
		return Token{}, "", err
	}
	secret := NewTokenSecret()
	token := Token{ID: s.drawID(), UserID: old.UserID, Name: old.Name, Hash: HashSecret(secret), ExpiresOn: expiresOn}
	entry := actor.Entry(s.newID(), TokenCreate, "", token.ID)
	ended := actor.Entry(s.newID(), TokenRevoke, "", old.ID)
	created, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (Token, error) {
		if err := tx.EndTokenOf(old.UserID, old.ID, ended); err != nil {
			return Token{}, missing(err, notLiving("token"))
		}
		return insertToken(tx, token, *entry)
	})
	return created, secret, err
}

// RevokeToken ends a token: the next request with it is refused.
func (s *Service) RevokeToken(ctx context.Context, actor Actor, id ID) error {
	if err := mustOperate(actor); err != nil {
		return err
	}
	entry := actor.Entry(s.newID(), TokenRevoke, "", id)
	_, err := write(ctx, s, entry, func(tx Tx, entry *AuditEntry) (struct{}, error) {
		return struct{}{}, missing(tx.RevokeToken(id, *entry), notFound("token"))
	})
	return err
}

// Tokens lists a user's tokens, oldest first; the operator's for userID "".
func (s *Service) Tokens(ctx context.Context, actor Actor, userID ID) ([]Token, error) {
	if err := mustOperate(actor); err != nil {
		return nil, err
	}
	return s.store.Tokens(ctx, userID)
}

// notLiving is notFound for what is there no more as well: somebody else may have
// rotated it a moment ago.
func notLiving(noun string) error {
	return refuse(NotFound, "there is no such %s, or it was ended already; list them to see", noun)
}
