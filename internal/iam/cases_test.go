package iam_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/id"
	"hither/internal/store"
)

// stage is the use cases over a real store, at a clock that the test moves.
type stage struct {
	*iam.Service
	store iam.Store
	clock *atomic.Int64 // microseconds
}

var operator = iam.Actor{Kind: iam.ByCommandLine}

func open(t *testing.T) stage {
	t.Helper()
	s := stage{clock: &atomic.Int64{}}
	s.clock.Store(noon.UnixMicro())
	now := func() time.Time { return time.UnixMicro(s.clock.Load()).UTC() }
	opened, err := store.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "hither.db"), store.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = opened.Close() })
	s.store, s.Service = opened, iam.NewService(opened, id.NewSource(now).New, now)
	return s
}

func (s stage) user(t *testing.T, email string) iam.User {
	t.Helper()
	return must(s.CreateUser(t.Context(), operator, iam.User{Email: email, Verified: true}))(t)
}

func (s stage) add(t *testing.T, account iam.ID, email string, roles ...iam.ID) iam.ID {
	t.Helper()
	request := iam.InviteRequest{Email: email, RoleIDs: roles, Direct: true}
	return must(s.Invite(t.Context(), operator, account, request))(t).Member.ID
}

func (s stage) flagged(t *testing.T, account iam.ID) bool {
	t.Helper()
	return must(s.Account(t.Context(), operator, account))(t).NeedsSuperAdmin
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// An account whose last Super Administrator was taken on purpose stays flagged
// until somebody who can act is appointed, however that comes.
func TestAnAccountIsFlaggedUntilItIsGovernedAgain(t *testing.T) {
	t.Parallel()
	appoint := map[string]struct {
		by   func(t *testing.T, s stage, account iam.ID, next iam.User)
		want bool // still flagged
	}{
		"by an accepted invitation": {func(t *testing.T, s stage, account iam.ID, next iam.User) {
			t.Helper()
			request := iam.InviteRequest{Email: next.Email, RoleIDs: []iam.ID{iam.SuperAdministrator}}
			invited := must(s.Invite(t.Context(), operator, account, request))(t)
			if !s.flagged(t, account) {
				t.Error("the flag fell before the invitation was accepted")
			}
			must(s.AnswerInvitation(t.Context(), iam.Actor{Kind: iam.ByUser, User: next}, invited.Member.ID, iam.Accepted))(t)
		}, false},
		"directly": {func(t *testing.T, s stage, account iam.ID, next iam.User) {
			t.Helper()
			s.add(t, account, next.Email, iam.SuperAdministrator)
		}, false},
		"by promotion": {func(t *testing.T, s stage, account iam.ID, next iam.User) {
			t.Helper()
			member := s.add(t, account, next.Email, role(t, "Administrator").ID)
			must(s.EditMember(t.Context(), operator, account, member, iam.MemberChange{RoleIDs: []iam.ID{iam.SuperAdministrator}}))(t)
		}, false},
		"by import": {func(t *testing.T, s stage, account iam.ID, next iam.User) {
			t.Helper()
			rows := []iam.ImportMembership{{AccountID: account, Email: next.Email, RoleIDs: []iam.ID{iam.SuperAdministrator}}}
			if err := s.Import(t.Context(), operator, iam.Dataset{Memberships: rows}, nil); err != nil {
				t.Fatal(err)
			}
		}, false},
		"not by one who is suspended": {func(t *testing.T, s stage, account iam.ID, next iam.User) {
			t.Helper()
			if err := s.SuspendUser(t.Context(), operator, next.ID, false); err != nil {
				t.Fatal(err)
			}
			s.add(t, account, next.Email, iam.SuperAdministrator)
		}, true},
	}
	for name, test := range appoint {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
			last := s.add(t, account, s.user(t, "last@example.com").Email, iam.SuperAdministrator)
			if err := s.RemoveMember(t.Context(), operator, account, last, true, false); err != nil {
				t.Fatal(err)
			}
			if !s.flagged(t, account) {
				t.Fatal("taking the last Super Administrator on purpose left no flag")
			}
			test.by(t, s, account, s.user(t, "next@example.com"))
			if got := s.flagged(t, account); got != test.want {
				t.Errorf("flagged is %v, want %v", got, test.want)
			}
		})
	}
}

// What the clock ended blocks nothing, an import as little as an invitation.
func TestAnExpiredRowBlocksNothing(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(ctx context.Context, s stage, account iam.ID) error{
		"inviting": func(ctx context.Context, s stage, account iam.ID) error {
			_, err := s.Invite(ctx, operator, account, iam.InviteRequest{Email: "guest@example.com", RoleIDs: []iam.ID{iam.SuperAdministrator}})
			return err
		},
		"importing": func(ctx context.Context, s stage, account iam.ID) error {
			return s.Import(ctx, operator, iam.Dataset{Memberships: []iam.ImportMembership{{
				AccountID: account, Email: "guest@example.com", Status: iam.Pending, RoleIDs: []iam.ID{iam.SuperAdministrator},
			}}}, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
			if err := again(t.Context(), s, account); err != nil {
				t.Fatal(err)
			}
			s.clock.Add(iam.DefaultLifetime.Microseconds())
			if err := again(t.Context(), s, account); err != nil {
				t.Errorf("after the first one expired: %v", err)
			}
			entries := must(s.store.Audit(t.Context(), account, 0, 10))(t)
			expired := 0
			for _, entry := range entries {
				if entry.Action == iam.InviteExpire {
					expired++
				}
			}
			if expired != 1 {
				t.Errorf("%d expiries stand in the audit log, want 1", expired)
			}
		})
	}
}

// An imported pending row rests on the rights of the user who invited, unless
// the file says on whose.
func TestAnImportedInvitationRestsOnWhoInvited(t *testing.T) {
	t.Parallel()
	s := open(t)
	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
	s.add(t, account, s.user(t, "admin@example.com").Email, iam.SuperAdministrator)
	ada := s.add(t, account, s.user(t, "ada@example.com").Email, iam.SuperAdministrator)
	guest := s.user(t, "guest@example.com")
	row := iam.ImportMembership{
		ID: rowID, AccountID: account, Email: guest.Email, Status: iam.Pending,
		RoleIDs: []iam.ID{iam.SuperAdministrator}, InvitedBy: "ada@example.com",
	}
	if err := s.Import(t.Context(), operator, iam.Dataset{Memberships: []iam.ImportMembership{row}}, nil); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveMember(t.Context(), operator, account, ada, false, false); err != nil {
		t.Fatal(err)
	}
	_, err := s.AnswerInvitation(t.Context(), iam.Actor{Kind: iam.ByUser, User: guest}, rowID, iam.Accepted)
	wantKind(t, err, iam.GrantorLost)
}

// KF-98: rotating draws a new secret and ends the old one, of that user only.
func TestRotating(t *testing.T) {
	t.Parallel()
	s := open(t)
	ada, bob := s.user(t, "ada@example.com"), s.user(t, "bob@example.com")
	key, old, err := s.CreateKey(t.Context(), operator, ada.ID, "first")
	must(key, err)(t)
	_, _, err = s.RotateKey(t.Context(), operator, bob.ID, key.ID, "stolen")
	wantKind(t, err, iam.NotFound)
	_, secret, err := s.RotateKey(t.Context(), operator, ada.ID, key.ID, "second")
	if err != nil || secret == old {
		t.Fatalf("rotate: secret %q after %q, %v", secret, old, err)
	}
	if p := must(s.store.KeyPrincipal(t.Context(), iam.HashSecret(old)))(t); !p.Key.Disabled {
		t.Error("the old key still works")
	}
	if p := must(s.store.KeyPrincipal(t.Context(), iam.HashSecret(secret)))(t); p.Key.Disabled || p.User.ID != ada.ID {
		t.Errorf("the new key: %+v", p)
	}

	token, old, err := s.CreateToken(t.Context(), operator, "", "first", time.Time{})
	must(token, err)(t)
	_, secret, err = s.RotateToken(t.Context(), operator, token, noon.Add(time.Hour))
	if err != nil || secret == old {
		t.Fatalf("rotate: secret %q after %q, %v", secret, old, err)
	}
	if p := must(s.store.TokenPrincipal(t.Context(), iam.HashSecret(old)))(t); !p.Token.Disabled {
		t.Error("the old token still works")
	}
	if p := must(s.store.TokenPrincipal(t.Context(), iam.HashSecret(secret)))(t); p.Token.Disabled {
		t.Error("the new token does not work")
	}
}

// Who is a member under a former address cannot become one twice.
func TestAcceptingUnderASecondAddress(t *testing.T) {
	t.Parallel()
	s := open(t)
	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
	ada := s.user(t, "ada@example.com")
	request := iam.InviteRequest{Email: ada.Email, RoleIDs: []iam.ID{iam.SuperAdministrator}}
	invited := must(s.Invite(t.Context(), operator, account, request))(t)
	former := iam.Membership{
		ID: rowID, AccountID: account, Email: "former@example.com", UserID: ada.ID, Status: iam.Accepted,
		Roles: []iam.Role{role(t, super)}, Grantor: operator.Grantor(), CreatedOn: noon, AnsweredOn: noon,
	}
	err := s.store.Update(t.Context(), func(tx iam.Tx) error {
		return tx.InsertMembership(former, iam.Link{}, operator.Entry("former", iam.Import, account, rowID))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.AnswerInvitation(t.Context(), iam.Actor{Kind: iam.ByUser, User: ada}, invited.Member.ID, iam.Accepted)
	wantKind(t, err, iam.AlreadyMember)
}

// A role file that names an account that is not there says which role it is.
func TestARoleOfAnUnknownAccountIsNamed(t *testing.T) {
	t.Parallel()
	s := open(t)
	stray := manager()
	stray.AccountID = accountID
	err := s.SyncRoles(t.Context(), operator, iam.OriginFile, []iam.Role{stray})
	wantKind(t, err, iam.Invalid)
	if err == nil || !strings.Contains(err.Error(), stray.Name) || !strings.Contains(err.Error(), string(accountID)) {
		t.Errorf("got %v, want the role and the account named", err)
	}
}
