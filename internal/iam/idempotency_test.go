package iam_test

import (
	"context"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/store/storetest"
)

func TestValidIdempotencyKey(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"x": true, "~ !": true, `"8e03978e-40d5-43dd-bc93-6894a57f9324"`: true, strings.Repeat("k", 255): true,
		"": false, strings.Repeat("k", 256): false, "a\tb": false, "a\x7f": false, "a\x00": false, "kéy": false, "a\n": false,
	} {
		if got := iam.ValidIdempotencyKey(key); got != want {
			t.Errorf("%q: got %v, want %v", key, got, want)
		}
	}
}

func keyOf(value, request string) iam.IdempotencyKey {
	return iam.IdempotencyKey{Value: value, Operation: "POST /x", Request: iam.HashSecret(request)}
}

// TestOnce holds what the second of two requests with a key comes to, by what
// is other about it. Both make an account: whatever is not a replay makes one
// more, or none and a refusal.
func TestOnce(t *testing.T) {
	t.Parallel()
	type attempt struct {
		actor iam.Actor
		key   iam.IdempotencyKey
		name  string
		after time.Duration
	}
	other := func(k iam.IdempotencyKey, edit func(*iam.IdempotencyKey)) iam.IdempotencyKey {
		edit(&k)
		return k
	}
	operatorToken := func(id iam.ID) iam.Actor { return iam.Actor{Kind: iam.ByOperator, CredentialID: id} }
	first := attempt{actor: user(true), key: keyOf("k", "r"), name: "First"}
	first.actor.CredentialID = rowID
	tests := []struct {
		name     string
		second   func(*attempt)
		replayed bool
		want     iam.Kind
	}{
		{"the same", func(*attempt) {}, true, iam.Internal},
		{"by another credential of the user", func(a *attempt) { a.actor.CredentialID = guestID }, true, iam.Internal},
		{"from elsewhere", func(a *attempt) { a.actor.RemoteAddr, a.actor.RequestID = "192.0.2.7", "other" }, true, iam.Internal},
		{"within the day", func(a *attempt) { a.after = iam.IdempotencyLife - time.Microsecond }, true, iam.Internal},
		{"after the day", func(a *attempt) { a.after = iam.IdempotencyLife }, false, iam.Internal},
		{"after the day, another request", func(a *attempt) { a.after, a.key = iam.IdempotencyLife, keyOf("k", "s") }, false, iam.Internal},
		{"another key", func(a *attempt) { a.key = keyOf("K", "r") }, false, iam.Internal},
		{"no key", func(a *attempt) { a.key = iam.IdempotencyKey{} }, false, iam.Internal},
		{"another operation", func(a *attempt) { a.key = other(a.key, func(k *iam.IdempotencyKey) { k.Operation = "POST /y" }) }, false, iam.Internal},
		{"parts that run together", func(a *attempt) {
			a.key = other(a.key, func(k *iam.IdempotencyKey) { k.Operation, k.Value = "POST /", "xk" })
		}, false, iam.Internal},
		{"another user", func(a *attempt) { a.actor.User.ID = guestID }, false, iam.Internal},
		{"an operator token of the user's id", func(a *attempt) { a.actor = operatorToken(adminID) }, false, iam.Internal},
		{"another request", func(a *attempt) { a.key = keyOf("k", "s") }, false, iam.KeyReused},
		{"another request that is refused for itself", func(a *attempt) { a.key, a.name = keyOf("k", "s"), "" }, false, iam.Invalid},
		{"no longer an operator", func(a *attempt) { a.actor.User.Operator = false }, false, iam.Forbidden},
		{"no longer an operator, another request", func(a *attempt) { a.actor.User.Operator, a.key = false, keyOf("k", "s") }, false, iam.Forbidden},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			for _, u := range []iam.User{{ID: adminID, Email: "admin@example.com", Verified: true, Operator: true}, {ID: guestID, Email: "guest@example.com", Verified: true, Operator: true}} {
				must(s.CreateUser(t.Context(), operator, u))(t)
			}
			do := func(a attempt) (iam.Replayable[iam.Account], error) {
				s.clock.Add(a.after.Microseconds())
				return s.CreateAccountOnce(t.Context(), a.actor, iam.NewAccount{Name: a.name}, a.key)
			}
			made := must(do(first))(t)
			if made.Replayed {
				t.Error("the first one is a replay")
			}
			second := first
			test.second(&second)
			again, err := do(second)
			wantKind(t, err, test.want)
			accounts := must(s.Accounts(t.Context(), operator, iam.AccountQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}}))(t)
			if want := map[bool]int{true: 1, false: 2}[test.replayed || test.want != iam.Internal]; accounts.Total != want {
				t.Errorf("%d accounts, want %d", accounts.Total, want)
			}
			if again.Replayed != test.replayed || test.replayed && again.Result != made.Result {
				t.Errorf("got %+v, want replayed %v of %+v", again, test.replayed, made.Result)
			}
		})
	}
}

// What the first one came to is what every later one is told, whatever became
// of it; and that a right is lost is asked before that is looked at.
func TestInvitingOnce(t *testing.T) {
	t.Parallel()
	superRole, minimal := iam.SuperAdministrator, role(t, "Minimal Account Access").ID
	type scene struct {
		stage
		account, row, own iam.ID
	}
	member := func(id iam.ID, roles ...iam.ID) func(*testing.T, scene) {
		return func(t *testing.T, s scene) {
			t.Helper()
			must(s.EditMember(t.Context(), operator, s.account, id, iam.MemberChange{RoleIDs: roles}))(t)
		}
	}
	tests := []struct {
		name     string
		meantime func(*testing.T, scene)
		actor    func(*iam.Actor)
		direct   bool
		want     iam.Kind // Internal: it is replayed
	}{
		{"nothing happened", func(*testing.T, scene) {}, nil, false, iam.Internal},
		{"it was accepted", func(t *testing.T, s scene) {
			t.Helper()
			must(s.AnswerInvitation(t.Context(), iam.Actor{Kind: iam.ByUser, User: iam.User{ID: guestID, Email: "guest@example.com"}}, s.row, iam.Accepted))(t)
		}, nil, false, iam.Internal},
		{"it was withdrawn", func(t *testing.T, s scene) {
			t.Helper()
			if err := s.CancelInvitation(t.Context(), operator, s.account, s.row, false); err != nil {
				t.Fatal(err)
			}
		}, nil, false, iam.Internal},
		{"it was given other roles", func(t *testing.T, s scene) { t.Helper(); member(s.row, superRole)(t, s) }, nil, false, iam.Internal},
		{"no seat is left", func(t *testing.T, s scene) {
			t.Helper()
			limit := 1
			must(s.EditAccount(t.Context(), operator, s.account, iam.AccountEdit{MemberLimit: &limit}))(t)
		}, nil, false, iam.Internal},
		{"its date came", func(_ *testing.T, s scene) { s.clock.Add((2 * time.Hour).Microseconds()) }, nil, false, iam.Internal},
		{"the actor was demoted", func(t *testing.T, s scene) { t.Helper(); member(s.own, minimal)(t, s) }, nil, false, iam.Forbidden},
		{"KF-18: the actor's ceiling was lowered", func(t *testing.T, s scene) { t.Helper(); member(s.own, manager().ID)(t, s) }, nil, false, iam.RoleCeiling},
		{"KF-85: the actor was removed", func(t *testing.T, s scene) {
			t.Helper()
			if err := s.RemoveMember(t.Context(), operator, s.account, s.own, false, false); err != nil {
				t.Fatal(err)
			}
		}, nil, false, iam.AccountNotFound},
		{"the account was suspended", func(t *testing.T, s scene) {
			t.Helper()
			yes := true
			must(s.EditAccount(t.Context(), operator, s.account, iam.AccountEdit{Suspended: &yes}))(t)
		}, nil, false, iam.AccountSuspended},
		{"KF-86: the account was deleted", func(t *testing.T, s scene) {
			t.Helper()
			if err := s.DeleteAccount(t.Context(), operator, s.account); err != nil {
				t.Fatal(err)
			}
		}, nil, false, iam.AccountNotFound},
		{"added directly", func(*testing.T, scene) {}, nil, true, iam.Internal},
		{"added directly, by who is no operator any more", func(*testing.T, scene) {}, func(a *iam.Actor) { a.User.Operator = false }, true, iam.DirectAddForbidden},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := scene{stage: open(t)}
			if err := s.SyncRoles(t.Context(), operator, iam.OriginFile, []iam.Role{manager()}); err != nil {
				t.Fatal(err)
			}
			actor := user(test.direct)
			must(s.CreateUser(t.Context(), operator, actor.User))(t)
			must(s.CreateUser(t.Context(), operator, iam.User{ID: guestID, Email: "guest@example.com", Verified: true}))(t)
			s.account = must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
			s.own = s.add(t, s.account, actor.User.Email, superRole)
			s.add(t, s.account, "other@example.com", superRole)
			request := iam.InviteRequest{Email: "guest@example.com", RoleIDs: []iam.ID{role(t, "Administrator").ID}, Direct: test.direct}
			if !test.direct {
				request.ExpiresOn = noon.Add(iam.MinLifetime)
			}
			do := func(actor iam.Actor) (iam.Replayable[iam.Invited], error) {
				return s.InviteOnce(t.Context(), actor, s.account, request, keyOf("k", "r"))
			}
			first := must(do(actor))(t)
			s.row = first.Result.Member.ID
			test.meantime(t, s)
			if test.actor != nil {
				test.actor(&actor)
			}
			before := len(must(s.store.Audit(t.Context(), s.account, 0, 100))(t))
			again, err := do(actor)
			wantKind(t, err, test.want)
			after := must(s.store.Audit(t.Context(), s.account, 0, 100))(t)[before:]
			if test.want == iam.Internal {
				if !again.Replayed || !reflect.DeepEqual(again.Result, first.Result) {
					t.Errorf("got\n%+v, want a replay of\n%+v", again, first.Result)
				}
				if len(after) > 0 {
					t.Errorf("a replay wrote %+v", after)
				}
				return
			}
			// What is refused is a denial like any other, of an account that is there.
			denials := 1
			if strings.Contains(test.name, "deleted") {
				denials = 0
			}
			if len(after) != denials || denials > 0 && after[0].Denied == "" {
				t.Errorf("audit rows of the refusal: got %+v, want %d denials", after, denials)
			}
		})
	}
}

// The same invitation again changes nothing, and is an outcome all the same.
func TestAnOutcomeWithoutAnEffectIsKept(t *testing.T) {
	t.Parallel()
	s := open(t)
	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
	request := iam.InviteRequest{Email: "guest@example.com", RoleIDs: []iam.ID{iam.SuperAdministrator}}
	must(s.Invite(t.Context(), operator, account, request))(t)
	first := must(s.InviteOnce(t.Context(), operator, account, request, keyOf("k", "r")))(t)
	if first.Replayed || first.Result.Message == "" {
		t.Fatalf("got %+v, want a remark that the invitation stands", first)
	}
	if err := s.CancelInvitation(t.Context(), operator, account, first.Result.Member.ID, false); err != nil {
		t.Fatal(err)
	}
	again := must(s.InviteOnce(t.Context(), operator, account, request, keyOf("k", "r")))(t)
	if !again.Replayed || !reflect.DeepEqual(again.Result, first.Result) {
		t.Errorf("got\n%+v, want a replay of\n%+v", again, first.Result)
	}
}

// What was refused leaves its key free, for the same request and for another.
func TestARefusalIsNotKept(t *testing.T) {
	t.Parallel()
	s := open(t)
	account := must(s.CreateAccount(t.Context(), operator, iam.NewAccount{Name: "Example"}))(t).ID
	limit := 1
	must(s.EditAccount(t.Context(), operator, account, iam.AccountEdit{MemberLimit: &limit}))(t)
	s.add(t, account, "first@example.com", iam.SuperAdministrator)
	request := iam.InviteRequest{Email: "guest@example.com", RoleIDs: []iam.ID{iam.SuperAdministrator}}
	do := func(request string, r iam.InviteRequest) (iam.Replayable[iam.Invited], error) {
		return s.InviteOnce(t.Context(), operator, account, r, keyOf("k", request))
	}
	_, err := do("r", request)
	wantKind(t, err, iam.NoSeat)
	second := request
	second.Email = "first@example.com"
	_, err = do("s", second)
	wantKind(t, err, iam.AlreadyMember)
	limit = 2
	must(s.EditAccount(t.Context(), operator, account, iam.AccountEdit{MemberLimit: &limit}))(t)
	if made := must(do("r", request))(t); made.Replayed || made.Result.Member.Status != iam.Pending {
		t.Errorf("got %+v, want the invitation", made)
	}
}

// overtaken is a store whose first transactions don't see what another one kept
// under the key, as where transactions run side by side.
type overtaken struct {
	iam.Store

	blind atomic.Int64 // for so many more transactions
}

type blindTx struct{ iam.Tx }

func (blindTx) Outcome([32]byte) (iam.Outcome, error) { return iam.Outcome{}, iam.ErrNoRow }

func (o *overtaken) Update(ctx context.Context, fn func(tx iam.Tx) error) error {
	blind := o.blind.Add(-1) >= 0
	return o.Store.Update(ctx, func(tx iam.Tx) error {
		if blind {
			return fn(blindTx{tx})
		}
		return fn(tx)
	})
}

// Who comes second finds the first one's outcome when its turn comes, and what
// it did itself is undone.
func TestTheSecondOfTwoAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t)
	slow := &overtaken{Store: storetest.Twice(s.store)}
	ids := 0
	second := iam.NewService(slow, func() string { ids++; return strings.Repeat("0", 31) + string(rune('a'+ids)) }, func() time.Time { return noon })
	first := must(s.CreateAccountOnce(t.Context(), operator, iam.NewAccount{Name: "Example"}, keyOf("k", "r")))(t)
	slow.blind.Store(1)
	again := must(second.CreateAccountOnce(t.Context(), operator, iam.NewAccount{Name: "Example"}, keyOf("k", "r")))(t)
	if !again.Replayed || again.Result != first.Result {
		t.Errorf("got %+v, want a replay of %+v", again, first.Result)
	}
	slow.blind.Store(1)
	_, err := second.CreateAccountOnce(t.Context(), operator, iam.NewAccount{Name: "Other"}, keyOf("k", "s"))
	wantKind(t, err, iam.KeyReused)
	if all := must(s.Accounts(t.Context(), operator, iam.AccountQuery{PageRequest: iam.PageRequest{Number: 1, Size: 9}}))(t); all.Total != 1 {
		t.Errorf("%d accounts, want 1", all.Total)
	}
	if slow.blind.Load() >= 0 {
		t.Error("nothing was overtaken")
	}
}

// An outcome may be read by the next version of this program: who renames a
// field keeps reading what was kept under its old name for a day.
func TestKeptOutcomesStayReadable(t *testing.T) {
	t.Parallel()
	account := iam.Account{
		ID: accountID, Name: "Example", Type: iam.Enterprise, EnforceTwoFactor: true, AbuseContactEmail: "abuse@example.com",
		InviteLifetime: time.Hour, InviteDomains: "example.com", MemberLimit: 5, CreatedOn: noon,
	}
	invited := iam.Invited{
		Account: account, Message: "remark", At: noon,
		Member: iam.Member{
			Membership: iam.Membership{
				ID: rowID, AccountID: accountID, Email: "guest@example.com", UserID: guestID, Status: iam.Accepted,
				Roles:   []iam.Role{{ID: rowID, AccountID: accountID, Name: "Role", Description: "d", Permissions: iam.Permissions{"dns": iam.Read}}},
				Invited: true, InvitedBy: "admin@example.com", InvitedOn: noon, ExpiresOn: noon.Add(time.Hour),
				Grantor: iam.Grantor{Kind: iam.ByUser, ID: adminID}, CreatedOn: noon, AnsweredOn: noon, Revision: 7,
			},
			User: iam.User{ID: guestID, Email: "guest@example.com", Verified: true, FirstName: "G", LastName: "uest", TwoFactor: true, OwnFactor: true, CreatedOn: noon},
			GrantorFacts: iam.GrantorFacts{
				Grantor: iam.Grantor{Kind: iam.ByUser, ID: adminID}, Active: true, Membership: &iam.Membership{Status: iam.Accepted},
			},
			AskedOn: noon,
		},
	}
	kept, err := os.ReadFile("testdata/kept_invitation.json")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(invited, "", "  ")
	if err != nil || string(text)+"\n" != string(kept) {
		t.Errorf("%v: what is kept is\n%s\nand was\n%s", err, text, kept)
	}
	var got iam.Invited
	if err := json.Unmarshal(kept, &got); err != nil || !reflect.DeepEqual(got, invited) {
		t.Errorf("%v: got\n%+v, want\n%+v", err, got, invited)
	}
}
