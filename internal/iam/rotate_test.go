package iam_test

import (
	"sync"
	"testing"
	"time"

	"hither/internal/iam"
)

// KF-98, and: of any number of rotations of one key or token at once one gives a
// new one, by its user and by the operator alike.
func TestRacingRotationsMakeOne(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user := s.user(t, "user@example.com")
		actor := iam.Actor{Kind: iam.ByUser, User: user}
		rotations := map[string]func(t *testing.T) (func() error, func() int){
			"own key": func(t *testing.T) (func() error, func() int) {
				t.Helper()
				key, _, err := s.CreateKey(ctx, operator, user.ID, "own")
				must(key, err)(t)
				return func() error {
					actor := actor
					actor.Key = true
					_, _, err := s.RotateOwnKey(ctx, actor, key.ID, iam.IdempotencyKey{})
					return err
				}, func() int { return s.liveKeys(t, actor, "own") }
			},
			"key": func(t *testing.T) (func() error, func() int) {
				t.Helper()
				key, _, err := s.CreateKey(ctx, operator, user.ID, "k")
				must(key, err)(t)
				return func() error {
					_, _, err := s.RotateKey(ctx, operator, user.ID, key.ID, "k")
					return err
				}, func() int { return s.liveKeys(t, actor, "k") }
			},
			"token": func(t *testing.T) (func() error, func() int) {
				t.Helper()
				token, _, err := s.CreateToken(ctx, operator, user.ID, "t", time.Time{})
				must(token, err)(t)
				return rotateToken(t, s, token)
			},
			"operator's token": func(t *testing.T) (func() error, func() int) {
				t.Helper()
				token, _, err := s.CreateToken(ctx, operator, "", "t", time.Time{})
				must(token, err)(t)
				return rotateToken(t, s, token)
			},
		}
		for name, begin := range rotations {
			rotate, live := begin(t)
			var wg sync.WaitGroup
			errs := make([]error, 16)
			for i := range errs {
				wg.Go(func() { errs[i] = rotate() })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if iam.KindOf(err) != iam.NotFound {
					t.Errorf("%s: %v", name, err)
				}
			}
			if won != 1 || live() != 1 {
				t.Errorf("%s: %d rotations won and %d are live, want 1 and 1", name, won, live())
			}
		}
	})
}

func rotateToken(t *testing.T, s stage, token iam.Token) (func() error, func() int) {
	t.Helper()
	return func() error {
			_, _, err := s.RotateToken(t.Context(), operator, token, time.Time{})
			return err
		}, func() int {
			live := 0
			for _, token := range must(s.Tokens(t.Context(), operator, token.UserID))(t) {
				if !token.Disabled {
					live++
				}
			}
			return live
		}
}

func (s stage) liveKeys(t *testing.T, actor iam.Actor, name string) int {
	t.Helper()
	live := 0
	for _, key := range must(s.OwnKeys(t.Context(), actor))(t) {
		if !key.Disabled && key.Name == name {
			live++
		}
	}
	return live
}

// A key's user rotates it with a fresh session; it is nobody else's to rotate,
// and its secret is told once.
func TestRotateOwnKey(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	ctx := t.Context()
	user := s.user(t, "user@example.com")
	s.user(t, "other@example.com")
	key, old, err := s.CreateKey(ctx, operator, user.ID, "laptop")
	must(key, err)(t)
	_, actor := s.signIn(t, user.Email)
	_, stranger := s.signIn(t, "other@example.com")

	_, _, err = s.RotateOwnKey(ctx, stranger, key.ID, iam.IdempotencyKey{})
	wantKind(t, err, iam.NotFound)
	_, _, err = s.RotateOwnKey(ctx, operator, key.ID, iam.IdempotencyKey{})
	wantKind(t, err, iam.Forbidden)
	stale := actor
	stale.SessionProved = s.now().Add(-iam.FreshFor)
	_, _, err = s.RotateOwnKey(ctx, stale, key.ID, iam.IdempotencyKey{})
	wantKind(t, err, iam.SignInAgain)

	// A token was given for a time or a purpose: no key comes of it.
	token := iam.Actor{Kind: iam.ByUser, User: user, CredentialID: key.ID}
	_, _, err = s.RotateOwnKey(ctx, token, key.ID, iam.IdempotencyKey{})
	wantKind(t, err, iam.Forbidden)

	watched := &counting{Store: s.store}
	service := s.over(watched)
	made, secret, err := service.RotateOwnKey(ctx, actor, key.ID, keyOf("k", "r"))
	if err != nil || made.Replayed || secret == old || made.Result.Name != "laptop" || made.Result.ID == key.ID {
		t.Fatalf("got %+v, %v", made, err)
	}
	if len(watched.queued) != 1 || watched.queued[0].Recipient != user.Email || watched.queued[0].Detail != string(iam.KeyRotated) {
		t.Errorf("told are %+v", watched.queued)
	}
	if p := must(s.store.KeyPrincipal(ctx, iam.HashSecret(secret)))(t); p.Key.Disabled || p.User.ID != user.ID {
		t.Errorf("the new key is %+v", p)
	}
	if p := must(s.store.KeyPrincipal(ctx, iam.HashSecret(old)))(t); !p.Key.Disabled {
		t.Error("the old key still opens")
	}
	byKey := iam.Actor{Kind: iam.ByUser, User: user, CredentialID: made.Result.ID, Key: true}
	third, _, err := s.RotateOwnKey(ctx, byKey, made.Result.ID, iam.IdempotencyKey{})
	if err != nil || third.Result.ID == made.Result.ID || s.liveKeys(t, actor, "laptop") != 1 {
		t.Errorf("by the key itself: %+v, %v, %d live", third, err, s.liveKeys(t, actor, "laptop"))
	}
	again, told, err := service.RotateOwnKey(ctx, actor, key.ID, keyOf("k", "r"))
	if err != nil || !again.Replayed || told != "" || again.Result != made.Result {
		t.Errorf("a replay gives %+v, secret %q, %v", again, told, err)
	}
}
