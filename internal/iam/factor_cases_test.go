package iam_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/store/storetest"
	"hither/internal/totp"
)

// authenticator makes the codes of a seed at the stage's clock.
type authenticator struct {
	s    stage
	seed []byte
}

func (a authenticator) code(t *testing.T) string {
	t.Helper()
	return must(totp.Code(a.seed, a.s.now()))(t)
}

// next waits for a code that was not shown yet.
func (a authenticator) next(t *testing.T) iam.ShownFactor {
	t.Helper()
	a.s.advance(30 * time.Second)
	return iam.ShownFactor{Code: a.code(t)}
}

// protect sets a second factor up for a user who signs in for it.
func (s stage) protect(t *testing.T, email string) (authenticator, iam.ConfirmedFactor, iam.Actor) {
	t.Helper()
	_, actor := s.signIn(t, email)
	if err := s.BeginFactor(t.Context(), actor); err != nil {
		t.Fatal(err)
	}
	a := authenticator{s, must(s.FactorSeed(t.Context(), actor))(t)}
	confirmed := must(s.ConfirmFactor(t.Context(), actor, a.code(t)))(t)
	return a, confirmed, confirmed.SignedIn.Session.Actor(confirmed.SignedIn.User)
}

func (s stage) notices(t *testing.T) (details []string) {
	t.Helper()
	page := must(s.Deliveries(t.Context(), operator, "", iam.PageRequest{Number: 1, Size: 100}))(t)
	for _, d := range page {
		if d.Kind == iam.NoticeMessage {
			details = append(details, d.Detail)
		}
	}
	slices.Sort(details)
	return details
}

// Setting up, and what it changes: the session that did it has another secret,
// all others have to show a code, and from then on every sign-in.
func TestASecondFactorIsSetUp(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user := s.user(t, "user@example.com")
		older, before := s.signIn(t, user.Email)
		signed, actor := s.signIn(t, user.Email)
		wantKind(t, must2(s.FactorSeed(ctx, actor)), iam.NotFound)
		if err := s.BeginFactor(ctx, actor); err != nil {
			t.Fatal(err)
		}
		seed := must(s.FactorSeed(ctx, actor))(t)
		wantKind(t, must2(s.FactorSeed(ctx, before)), iam.NotFound) // another session's
		wantKind(t, must2(s.ConfirmFactor(ctx, before, must(totp.Code(seed, s.now()))(t))), iam.NotFound)
		wantKind(t, must2(s.ConfirmFactor(ctx, actor, "000000")), iam.ProofRefused)
		if state := must(s.Factor(ctx, actor))(t); state != (iam.FactorState{}) || must(s.User(ctx, operator, user.Email))(t).HasFactor() {
			t.Errorf("a factor that is being set up counts: %+v", state)
		}
		code := must(totp.Code(seed, s.now()))(t)
		done := must(s.ConfirmFactor(ctx, actor, " "+code[:3]+"\u00a0"+code[3:]))(t) // as authenticators group it
		if _, err := s.store.SessionPrincipal(ctx, iam.HashSecret(signed.Secret)); !errors.Is(err, iam.ErrNoRow) || len(done.Codes) != 10 {
			t.Errorf("%d codes; the session has its old secret: %v", len(done.Codes), err)
		}
		whole := s.session(t, done.SignedIn.Secret)
		if whole == nil || whole.Session.ID != signed.Session.ID || whole.Session.Factor != iam.ByTOTP || whole.Session.ExpiresOn != signed.Session.ExpiresOn {
			t.Fatalf("the session is %+v", whole)
		}
		if state := must(s.Factor(ctx, whole.Session.Actor(whole.User)))(t); state.Since != s.now() || state.CodesLeft != 10 {
			t.Errorf("the state is %+v", state)
		}
		half := s.session(t, older.Secret)
		if half == nil || !half.Session.Actor(half.User).LacksFactor() {
			t.Errorf("another session needs no code: %+v", half)
		}
		actor = whole.Session.Actor(whole.User)
		wantKind(t, s.BeginFactor(ctx, actor), iam.Invalid)
		if rows := s.audited(t, "", iam.FactorAdd); len(rows) != 2 || rows[0].Denied != "code_refused" || rows[1].Denied != "" || rows[1].ActorID != user.ID {
			t.Errorf("recorded are %+v", rows)
		}
		if got := s.notices(t); !slices.Equal(got, []string{"factor-added"}) {
			t.Errorf("notices: %v", got)
		}
		for _, entry := range must(s.store.Audit(ctx, "", 0, 1000))(t) {
			if row := fmt.Sprintf("%+v", entry); strings.Contains(row, totp.Secret(seed)) || strings.Contains(row, done.Codes[0]) || strings.Contains(row, done.SignedIn.Secret) {
				t.Errorf("a secret is in the audit log: %s", row)
			}
		}
	})
}

func must2[T any](_ T, err error) error { return err }

// Who begins anew has another seed, too late is too late, and only a fresh
// session of a browser may.
func TestSettingUpHasItsBounds(t *testing.T) {
	t.Parallel()
	s := open(t)
	s = s.signing(t, s.store)
	ctx := t.Context()
	user := s.user(t, "user@example.com")
	key := iam.Actor{Kind: iam.ByUser, User: user, CredentialID: rowID}
	for _, actor := range []iam.Actor{key, operator, visitor.Actor()} {
		if err := s.BeginFactor(ctx, actor); err == nil {
			t.Errorf("%+v begins", actor)
		}
	}
	_, actor := s.signIn(t, user.Email)
	if err := s.BeginFactor(ctx, actor); err != nil {
		t.Fatal(err)
	}
	first := must(s.FactorSeed(ctx, actor))(t)
	if err := s.BeginFactor(ctx, actor); err != nil {
		t.Fatal(err)
	}
	second := must(s.FactorSeed(ctx, actor))(t)
	if string(first) == string(second) {
		t.Error("beginning anew draws the same seed")
	}
	wantKind(t, must2(s.ConfirmFactor(ctx, actor, must(totp.Code(first, s.now()))(t))), iam.ProofRefused)
	s.advance(iam.SetUpLife)
	wantKind(t, must2(s.ConfirmFactor(ctx, actor, must(totp.Code(second, s.now()))(t))), iam.NotFound)
	wantKind(t, must2(s.FactorSeed(ctx, actor)), iam.NotFound)
	wantKind(t, s.BeginFactor(ctx, actor), iam.SignInAgain) // ASVS 7.5.1
}

// KF-71: a session that has yet to show the factor of its user does nothing,
// whatever it asks for; nor does a stale one complete a sign-in.
func TestHalfASignInDoesNothing(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user := s.user(t, "user@example.com")
		must(s.SetUserFlags(ctx, operator, user.ID, iam.UserFlags{Operator: new(true)}))(t)
		account := must(s.CreateAccount(ctx, operator, iam.NewAccount{Name: "Example"}))(t).ID
		s.add(t, account, user.Email, iam.SuperAdministrator)
		link := s.invited(t, must(s.CreateAccount(ctx, operator, iam.NewAccount{Name: "Other"}))(t).ID, user.Email)
		a, _, _ := s.protect(t, user.Email)
		_, half := s.signIn(t, user.Email)
		if !half.LacksFactor() || half.Operator() {
			t.Fatalf("the session is whole, or operates: %+v", half)
		}
		for what, err := range map[string]error{
			"reads itself":        must3(s.Me(ctx, half)),
			"edits itself":        must2(s.EditMe(ctx, half, iam.Profile{})),
			"lists invitations":   must2(s.Invitations(ctx, half, nil)),
			"reads an invitation": must2(s.Invitation(ctx, half, link.ID)),
			"accepts":             must2(s.AnswerInvitation(ctx, half, link.ID, iam.Accepted)),
			"accepts by link":     must2(s.AnswerByLink(ctx, half, visitor, link, iam.Accepted)),
			"lists sessions":      must2(s.Sessions(ctx, half)),
			"ends others":         s.EndOtherSessions(ctx, half),
			"lists keys":          must2(s.OwnKeys(ctx, half)),
			"lists accounts":      must2(s.Accounts(ctx, half, iam.AccountQuery{PageRequest: iam.PageRequest{Number: 1, Size: 5}})),
			"reads an account":    must2(s.Account(ctx, half, account)),
			"edits an account":    must2(s.EditAccount(ctx, half, account, iam.AccountEdit{EnforceTwoFactor: new(false)})),
			"leaves":              s.LeaveAccount(ctx, half, account),
			"changes its address": must2(s.AskAddress(ctx, half, visitor, "new@example.com")),
			"removes the factor":  s.RemoveFactor(ctx, half, iam.ShownFactor{Code: a.code(t)}),
			"draws codes":         must2(s.RenewRecoveryCodes(ctx, half)),
			"sets another one up": s.BeginFactor(ctx, half),
		} {
			if iam.KindOf(err) != iam.FactorFirst {
				t.Errorf("%s: got %v", what, err)
			}
		}
		wantKind(t, must2(s.Users(ctx, half, iam.PageRequest{Number: 1, Size: 5})), iam.Forbidden)

		whole := must(s.ShowFactor(ctx, half, a.next(t)))(t)
		if p := s.session(t, whole.Secret); p == nil || p.Session.Factor != iam.ByTOTP || p.Session.Actor(p.User).LacksFactor() {
			t.Errorf("the session is %+v", p)
		}
		must(s.Account(ctx, whole.Session.Actor(whole.User), account))(t)

		_, half = s.signIn(t, user.Email)
		s.advance(iam.FreshFor)
		wantKind(t, must2(s.ShowFactor(ctx, half, a.next(t))), iam.SignInAgain)
		if err := s.EndSession(ctx, half, half.CredentialID); err != nil { // signing out needs nothing
			t.Error(err)
		}
		_, half = s.signIn(t, user.Email)
		if err := s.EndSession(ctx, half, half.CredentialID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, must2(s.ShowFactor(ctx, half, a.next(t))), iam.SignInFirst)
	})
}

func must3[A, B any](_ A, _ B, err error) error { return err }

// KF-17: a code works once, whoever shows it how often at the same time, and
// none does that lies before one that was shown.
func TestACodeWorksOnce(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		const racers = 50
		user := s.user(t, "user@example.com")
		other := s.user(t, "other@example.com")
		a, confirmed, _ := s.protect(t, user.Email)
		strange, _, _ := s.protect(t, other.Email)
		_, half := s.signIn(t, user.Email)
		wantKind(t, must2(s.ShowFactor(ctx, half, iam.ShownFactor{Code: a.code(t)})), iam.ProofRefused) // it confirmed the factor
		wantKind(t, must2(s.ShowFactor(ctx, half, strange.next(t))), iam.ProofRefused)
		halves := make([]iam.Actor, racers)
		for i := range halves {
			if i%4 == 0 {
				s.advance(time.Hour) // a mailbox gets five links an hour
			}
			_, halves[i] = s.signIn(t, user.Email)
			halves[i].SessionProved = s.now().Add(1000 * time.Hour) // they race in one minute
			halves[i].RemoteAddr = fmt.Sprintf("192.0.2.%d", i)
		}
		shown := a.next(t)
		race := func(shown iam.ShownFactor) (won []iam.SignedIn) {
			var mu sync.Mutex
			var wg sync.WaitGroup
			for _, half := range halves {
				wg.Go(func() {
					signed, err := s.ShowFactor(ctx, half, shown)
					mu.Lock()
					defer mu.Unlock()
					switch iam.KindOf(err) {
					case iam.ProofRefused, iam.TooManyAttempts, iam.SignInFirst:
					default:
						if err != nil {
							t.Errorf("got %v", err)
						}
						won = append(won, signed)
					}
				})
			}
			wg.Wait()
			return won
		}
		if won := race(shown); len(won) != 1 || s.session(t, won[0].Secret) == nil {
			t.Errorf("one code signed in %d times", len(won))
		}
		s.advance(24 * time.Hour)
		if won := race(iam.ShownFactor{Code: confirmed.Codes[3], Recovery: true}); len(won) != 1 || won[0].Session.Factor != iam.ByRecoveryCode {
			t.Errorf("one recovery code signed in %d times", len(won))
		}
		s.advance(24 * time.Hour)
		_, half = s.signIn(t, user.Email)
		later := a.next(t)
		must(s.ShowFactor(ctx, half, later))(t)
		_, half = s.signIn(t, user.Email)
		for _, replay := range []iam.ShownFactor{later, shown, {Code: must(totp.Code(a.seed, s.now().Add(-30*time.Second)))(t)}} {
			wantKind(t, must2(s.ShowFactor(ctx, half, replay)), iam.ProofRefused)
		}
		if got := s.notices(t); !slices.Contains(got, "recovery-code-used") {
			t.Errorf("notices: %v", got)
		}
	})
}

// Recovery codes are their user's, work once however they are typed, and die
// with the next set.
func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user, other := s.user(t, "user@example.com"), s.user(t, "other@example.com")
		_, confirmed, _ := s.protect(t, user.Email)
		_, strange, _ := s.protect(t, other.Email)
		show := func(code string) (iam.Actor, error) {
			s.advance(time.Hour)
			_, half := s.signIn(t, user.Email)
			signed, err := s.ShowFactor(ctx, half, iam.ShownFactor{Code: code, Recovery: true})
			return signed.Session.Actor(signed.User), err
		}
		for _, wrong := range []string{"", strange.Codes[0], strings.Repeat("A", 100), confirmed.Codes[0][:10]} {
			wantKind(t, must2(show(wrong)), iam.ProofRefused)
		}
		must(show(" " + strings.ToLower(strings.ReplaceAll(confirmed.Codes[0], "-", "\u2011"))))(t) // as a word processor keeps it
		wantKind(t, must2(show(confirmed.Codes[0])), iam.ProofRefused)
		actor := must(show(confirmed.Codes[1]))(t)
		if state := must(s.Factor(ctx, actor))(t); state.CodesLeft != 8 {
			t.Errorf("%d codes are left", state.CodesLeft)
		}
		fresh := must(s.RenewRecoveryCodes(ctx, actor))(t)
		wantKind(t, must2(show(confirmed.Codes[2])), iam.ProofRefused)
		actor = must(show(fresh[0]))(t)
		s.advance(iam.FreshFor)
		wantKind(t, must2(s.RenewRecoveryCodes(ctx, actor)), iam.SignInAgain)
		if rows := s.audited(t, "", iam.RecoveryUse); len(rows) != 3 || rows[0].ActorID != user.ID {
			t.Errorf("recorded are %+v", rows)
		}
		seen := map[string]bool{}
		for _, code := range slices.Concat(confirmed.Codes, strange.Codes, fresh) {
			if len(code) != 11 || seen[code] {
				t.Errorf("the code %q is malformed, or there twice", code)
			}
			seen[code] = true
		}
	})
}

// Removing asks for a fresh sign-in and a code; then nothing asks for one. The
// operator's reset needs neither, and ends every session.
func TestASecondFactorIsRemoved(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user := s.user(t, "user@example.com")
		a, confirmed, actor := s.protect(t, user.Email)
		wantKind(t, s.RemoveFactor(ctx, actor, iam.ShownFactor{Code: "000000"}), iam.ProofRefused)
		s.advance(iam.FreshFor)
		wantKind(t, s.RemoveFactor(ctx, actor, a.next(t)), iam.SignInAgain)
		_, half := s.signIn(t, user.Email)
		signed := must(s.ShowFactor(ctx, half, a.next(t)))(t)
		actor = signed.Session.Actor(signed.User)
		if err := s.RemoveFactor(ctx, actor, iam.ShownFactor{Code: confirmed.Codes[0], Recovery: true}); err != nil {
			t.Fatal(err)
		}
		if got := s.notices(t); !slices.Equal(got, []string{"factor-added", "factor-removed", "recovery-code-used"}) {
			t.Errorf("notices: %v", got)
		}
		facts := must(s.store.Factors(ctx, user.ID))(t)
		if facts.Factor != nil || facts.SetUp != nil || facts.User.HasFactor() || len(s.audited(t, "", iam.FactorRemove)) != 2 {
			t.Errorf("left is %+v", facts)
		}
		if _, whole := s.signIn(t, user.Email); whole.LacksFactor() {
			t.Error("signing in still asks for a code")
		}

		s.advance(time.Hour)
		_, _, actor = s.protect(t, user.Email)
		wantKind(t, s.ResetFactor(ctx, actor, user.ID), iam.Forbidden)
		wantKind(t, s.ResetFactor(ctx, operator, rowID), iam.NotFound)
		if err := s.ResetFactor(ctx, operator, user.ID); err != nil {
			t.Fatal(err)
		}
		wantKind(t, s.ResetFactor(ctx, operator, user.ID), iam.NotFound)
		facts = must(s.store.Factors(ctx, user.ID))(t)
		if sessions := must(s.store.Sessions(ctx, user.ID))(t); facts.Factor != nil || len(sessions) > 0 || len(s.audited(t, "", iam.FactorReset)) != 1 {
			t.Errorf("after a reset there are %+v and the sessions %+v", facts, sessions)
		}
	})
}

// KF-66, KF-71, KF-79: wrong codes are counted for their user, whoever tries how
// many at once, and stay so through a restart: the right one comes too late.
func TestGuessesAreCounted(t *testing.T) {
	t.Parallel()
	onEngines(t, func(t *testing.T, s stage) {
		t.Helper()
		ctx := t.Context()
		user := s.user(t, "user@example.com")
		a, confirmed, _ := s.protect(t, user.Email)
		_, half := s.signIn(t, user.Email)
		const racers = 30
		kinds := make([]iam.Kind, racers)
		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() {
				from := half
				from.RemoteAddr = fmt.Sprintf("192.0.2.%d", i)
				wrong := iam.ShownFactor{Code: "wrong!", Recovery: i%2 == 0}
				kinds[i] = iam.KindOf(must2(s.ShowFactor(ctx, from, wrong)))
			})
		}
		wg.Wait()
		tried := 0
		for _, kind := range kinds {
			if kind == iam.ProofRefused {
				tried++
			} else if kind != iam.TooManyAttempts {
				t.Errorf("got kind %d", kind)
			}
		}
		if tried != 10 {
			t.Errorf("%d wrong codes were looked at, want 10", tried)
		}
		again := s
		again.Service = s.over(storetest.Twice(s.store)) // another process
		for _, right := range []iam.ShownFactor{a.next(t), {Code: confirmed.Codes[0], Recovery: true}} {
			err := must2(again.ShowFactor(ctx, half, right))
			wantKind(t, err, iam.TooManyAttempts)
			if refusal, ok := err.(*iam.Error); !ok || refusal.RetryAfter <= 0 { //nolint:errorlint // as it is returned
				t.Errorf("got %#v, want it to say when to come back", err)
			}
		}
		s.advance(15 * time.Minute)
		_, half = s.signIn(t, user.Email)
		must(s.ShowFactor(ctx, half, a.next(t)))(t)
		for range 5 { // whatever a quarter of an hour lets through, a day has its own end
			s.advance(30 * time.Minute)
			_, half = s.signIn(t, user.Email)
			for range 10 {
				if iam.KindOf(must2(s.ShowFactor(ctx, half, iam.ShownFactor{Code: "wrong!"}))) == iam.ProofRefused {
					tried++
				}
			}
		}
		if tried != 50 {
			t.Errorf("%d wrong codes were looked at in a day, want 50", tried)
		}
	})
}
