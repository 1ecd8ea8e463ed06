package console

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"hither/internal/auth"
	"hither/internal/iam"
	"hither/internal/oidc"
	"hither/internal/seal"
)

const (
	anInvite  iam.ID = "4f5f0c14a2a41d5063dd301b2f829f04"
	anAccount iam.ID = "5a7805061c76ada191ed06f989cc3dac"
	aUser     iam.ID = "7c5dae5552338874e5053f2534d2767a"
	aSession  iam.ID = "0193f5e0a1b27c3d8e4f5a6b7c8d9e0f"

	invited  = "john.appleseed@example.com"
	stranger = "somebody.else@example.org"
	aSecret  = "session-secret"
)

func noon() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// world is a Service of one invitation, and what a test wants it to answer.
type world struct {
	linked  iam.LinkedInvitation
	member  iam.Member // the invitation as its account sees it
	user    *iam.User  // who is signed in by the session cookie
	refusal error      // what every write is refused with
	factor  iam.FactorState
	noSeed  error
	letters []Letter
	key     string        // of the mailbox
	shown   bool          // the browser came by a link that was shown
	ago     time.Duration // since the last fresh sign-in
	// forgotten says that what proves a mailbox is no longer known.
	forgotten bool
	// mailless says that the instance sends no mail.
	mailless bool
	calls    []string
	asking   iam.Visitor // who asked for a mail last

	providers []oidc.Button // who else signs people in
	returns   []string      // where people may go on to
	provider  error         // what Begin and Finish answer
	back      oidc.Return   // what Finish was given
}

func newWorld() *world {
	role, _ := iam.BuiltinRole(iam.SuperAdministrator)
	for _, r := range iam.BuiltinRoles() {
		if r.Name == "Administrator" {
			role = r
		}
	}
	w := &world{linked: iam.LinkedInvitation{
		Invitation: iam.Invitation{
			Membership: iam.Membership{
				ID: anInvite, AccountID: anAccount, Email: invited, Status: iam.Pending, Roles: []iam.Role{role}, Invited: true,
				InvitedBy: "jane@example.com", InvitedOn: noon().Add(-24 * time.Hour), ExpiresOn: noon().Add(6*24*time.Hour + 8*time.Hour),
			},
			Account: iam.Account{ID: anAccount, Name: "Example, Inc."},
		},
		Link: iam.Link{Generation: 1},
	}}
	w.member = iam.Member{Membership: w.linked.Membership, GrantorFacts: iam.GrantorFacts{Grantor: iam.Grantor{Kind: iam.ByCommandLine}}}
	return w
}

func (w *world) LinkInvitation(context.Context, iam.ID) (iam.LinkedInvitation, error) {
	return w.linked, nil
}

func (w *world) AnswerByLink(_ context.Context, _ iam.Actor, _ iam.Visitor, _ iam.InvitationLink, answer iam.Status) (iam.LinkAnswer, error) {
	return iam.LinkAnswer{SignedIn: iam.SignedIn{Secret: aSecret, User: iam.User{ID: aUser}, Session: iam.Session{ExpiresOn: noon().Add(time.Hour)}}}, w.call("answer by link: " + string(answer))
}

func (w *world) DeclineByLink(_ context.Context, _ iam.Actor, _ iam.Visitor, _ iam.InvitationLink, reason string) (iam.LinkAnswer, error) {
	return iam.LinkAnswer{}, w.call("decline by link: " + reason)
}

func (w *world) NoteOpened(context.Context, iam.ID, int) error { return w.call("opened") }

func (w *world) AskForLink(context.Context, iam.LinkHolder) error { return w.call("ask") }

func (w *world) MailLink(context.Context, iam.LinkHolder) error { return w.call("mail link") }
func (w *world) MailsProofs() bool                              { return !w.mailless }

func (w *world) RemindHolder(context.Context, iam.LinkHolder, iam.Reminder) (iam.Invitation, error) {
	return iam.Invitation{}, w.call("remind")
}

func (w *world) SuppressRecipient(_ context.Context, _ iam.Actor, _ iam.ID, anyone bool) error {
	if anyone {
		return w.call("suppress anyone")
	}
	return w.call("suppress")
}

func (w *world) AccountInvitation(context.Context, iam.Actor, iam.ID, iam.ID) (iam.Account, iam.Member, error) {
	return w.linked.Account, w.member, nil
}

func (w *world) RenewInvitation(
	context.Context, iam.Actor, iam.ID, iam.ID, time.Time, iam.IdempotencyKey,
) (iam.Replayable[iam.Invited], error) {
	return iam.Replayable[iam.Invited]{Result: iam.Invited{Member: w.member}}, w.call("renew")
}

func (w *world) ConfirmInvitation(context.Context, iam.Actor, iam.ID, iam.ID, iam.IdempotencyKey) (iam.Replayable[iam.Invited], error) {
	return iam.Replayable[iam.Invited]{Result: iam.Invited{Member: w.member}}, w.call("confirm")
}

func (w *world) Invitation(context.Context, iam.Actor, iam.ID) (iam.Invitation, error) {
	return w.linked.Invitation, nil
}

func (w *world) Invitations(context.Context, iam.Actor, []iam.Status) ([]iam.Invitation, error) {
	past := w.linked.Invitation
	past.Status, past.Account.Name = iam.Rejected, "Old Times Ltd."
	return []iam.Invitation{w.linked.Invitation, past}, nil
}

func (w *world) AnswerInvitation(_ context.Context, _ iam.Actor, _ iam.ID, answer iam.Status) (iam.Invitation, error) {
	return iam.Invitation{}, w.call("answer: " + string(answer))
}

func (w *world) DeclineInvitation(_ context.Context, _ iam.Actor, _ iam.ID, reason string) (iam.Invitation, error) {
	return iam.Invitation{}, w.call("decline: " + reason)
}

func (w *world) Memberships(context.Context, iam.Actor, iam.MembershipQuery) (iam.Page[iam.Invitation], error) {
	one, two := w.linked.Invitation, w.linked.Invitation
	one.Account.Name, two.Account.Name = "Demo Account", "Åland Ferries"
	return iam.Page[iam.Invitation]{Items: []iam.Invitation{one, two}}, nil
}

func (w *world) AskSignIn(_ context.Context, visitor iam.Visitor, _ string) (iam.Asked, error) {
	w.asking = visitor
	return iam.Asked{ID: anInvite, Browser: "browser"}, w.call("ask sign-in")
}

func (w *world) ProofAddress(context.Context, iam.ID) (string, error) {
	if w.forgotten {
		return "", &iam.Error{Kind: iam.ProofRefused, Message: "no"}
	}
	return invited, nil
}

func (w *world) SignIn(context.Context, iam.Visitor, iam.Proof) (iam.SignedIn, error) {
	return iam.SignedIn{Secret: aSecret, User: iam.User{ID: aUser}, Session: iam.Session{ExpiresOn: noon().Add(time.Hour)}}, w.call("sign in")
}

func (w *world) SignInByIdentity(_ context.Context, _ iam.Visitor, a iam.Assertion) (iam.SignedIn, error) {
	return iam.SignedIn{Secret: aSecret, User: iam.User{ID: aUser}, Session: iam.Session{ExpiresOn: noon().Add(time.Hour)}}, w.call("sign in by identity: " + a.Subject)
}

func (w *world) SignInAndLink(_ context.Context, _ iam.Visitor, _ iam.Proof, a iam.Assertion) (iam.SignedIn, error) {
	return iam.SignedIn{Secret: aSecret, User: iam.User{ID: aUser}, Session: iam.Session{ExpiresOn: noon().Add(time.Hour)}}, w.call("sign in and link: " + a.Subject)
}

func (w *world) Buttons() []oidc.Button { return w.providers }

func (w *world) Begin(_ context.Context, name, redirect string) (oidc.Flow, string, error) {
	return oidc.Flow{State: "state", Nonce: "nonce", Verifier: "verifier"}, "https://login.example.com/?" + url.Values{"provider": {name}, "redirect": {redirect}}.Encode(), w.provider
}

func (w *world) Finish(_ context.Context, _, _ string, flow oidc.Flow, back oidc.Return) (iam.Assertion, error) {
	w.back = back
	if flow.State != back.State {
		return iam.Assertion{}, errors.New("another state")
	}
	return iam.Assertion{Subject: "ada", Email: invited}, w.provider
}

func (w *world) Sessions(context.Context, iam.Actor) ([]iam.Session, error) {
	const firefox, phone = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 Version/18.1 Mobile/15E148 Safari/604.1"
	return []iam.Session{
		{ID: aSession, Agent: firefox, RemoteAddr: "192.0.2.7", SeenOn: noon()},
		{ID: anInvite, Agent: phone, RemoteAddr: "2001:db8::17", SeenOn: noon().Add(-30 * time.Hour)},
		{ID: anAccount, Agent: "curl/8", RemoteAddr: "198.51.100.3", SeenOn: noon().Add(-50 * time.Hour)},
	}, nil
}

func (w *world) EndSession(context.Context, iam.Actor, iam.ID) error { return w.call("end session") }
func (w *world) EndOtherSessions(context.Context, iam.Actor) error   { return w.call("end others") }

func (w *world) Factor(context.Context, iam.Actor) (iam.FactorState, error) { return w.factor, nil }

func (w *world) BeginFactor(context.Context, iam.Actor) error { return w.call("begin factor") }

func (w *world) FactorSeed(context.Context, iam.Actor) ([]byte, error) {
	return []byte("12345678901234567890"), w.noSeed
}

func (w *world) ConfirmFactor(context.Context, iam.Actor, string) (iam.ConfirmedFactor, error) {
	whole := iam.SignedIn{Secret: "another", User: iam.User{ID: aUser}, Session: iam.Session{ExpiresOn: noon().Add(time.Hour)}}
	return iam.ConfirmedFactor{SignedIn: whole, Codes: someCodes()}, w.call("confirm factor")
}

func (w *world) ShowFactorAndLink(ctx context.Context, actor iam.Actor, shown iam.ShownFactor, _ iam.Assertion) (iam.SignedIn, error) {
	return w.ShowFactor(ctx, actor, shown)
}

func (w *world) ShowFactor(_ context.Context, _ iam.Actor, shown iam.ShownFactor) (iam.SignedIn, error) {
	name := "show factor"
	if shown.Recovery {
		name = "show recovery code"
	}
	return iam.SignedIn{Secret: "another", User: iam.User{ID: aUser}, Session: iam.Session{ExpiresOn: noon().Add(time.Hour)}}, w.call(name)
}

func (w *world) RemoveFactor(_ context.Context, _ iam.Actor, shown iam.ShownFactor) error {
	if shown.Recovery {
		return w.call("remove factor by recovery code")
	}
	return w.call("remove factor")
}

func (w *world) RenewRecoveryCodes(context.Context, iam.Actor) ([]string, error) {
	return someCodes(), w.call("renew codes")
}

func someCodes() []string {
	return strings.Fields(strings.Repeat("WXYZ2-34567 ABCDE-FGHJK ", 5))
}

func (w *world) OwnKeys(context.Context, iam.Actor) ([]iam.Key, error) {
	return []iam.Key{{ID: aSession, Name: "Deployment", CreatedOn: noon().Add(-900 * time.Hour)}, {ID: anInvite, Name: "old", Disabled: true}}, nil
}

func (w *world) RotateOwnKey(context.Context, iam.Actor, iam.ID, iam.IdempotencyKey) (iam.Replayable[iam.Key], string, error) {
	return iam.Replayable[iam.Key]{}, "144c9defac04969c7bfad8efaa8ea194", w.call("rotate")
}

func (w *world) AskAddress(context.Context, iam.Actor, iam.Visitor, string) (iam.Asked, error) {
	return iam.Asked{ID: anInvite, Browser: "browser"}, w.call("ask address")
}

func (w *world) ProveAddress(_ context.Context, actor iam.Actor, _ iam.Visitor, _ iam.Proof) (iam.SignedIn, error) {
	user := actor.User
	user.Email = "john@new.example.org"
	return iam.SignedIn{Secret: aSecret, User: user, Session: iam.Session{ExpiresOn: noon().Add(time.Hour)}}, w.call("prove address")
}

func (w *world) Session(_ context.Context, secret string) (iam.Actor, iam.Session, error) {
	if w.user == nil || secret != aSecret {
		return iam.Actor{}, iam.Session{}, &auth.Error{Fault: auth.InvalidSession}
	}
	return iam.Actor{Kind: iam.ByUser, User: *w.user, CredentialID: aSession, SessionProved: noon().Add(-w.ago)}, iam.Session{}, nil
}

func (w *world) Letters() []Letter { return w.letters }
func (w *world) Key() string       { return w.key }

func (w *world) as(email string) *world {
	w.user = &iam.User{ID: aUser, Email: email, Verified: true}
	return w
}

// half has the user's session lack the second factor that it has.
func (w *world) half() *world {
	w.user.OwnFactor = true
	return w
}

func (w *world) call(name string) error {
	w.calls = append(w.calls, name)
	return w.refusal
}

// site is the pages over a world.
type site struct {
	*Console

	world *world
	ring  seal.Keyring
	seen  []Seen
}

func newSite(t *testing.T, w *world, base string) *site {
	t.Helper()
	at, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{world: w, ring: seal.NewKeyring(noon())}
	s.Console, err = New(Options{
		Service: w, Sessions: w, Keys: func() seal.Keyring { return s.ring }, Base: at, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: noon,
		RequestID: func(context.Context) string { return "01234567" },
		Observe:   func(_ context.Context, seen Seen) { s.seen = append(s.seen, seen) },
		LogoHosts: []string{"logos.example.com"}, Mailbox: w,
		Providers: w, ReturnURLs: w.returns,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// token is the secret of a link to the world's invitation.
func (s *site) token(purpose seal.Purpose, generation int) string {
	return s.ring.Token(seal.Link{Purpose: purpose, ID: anInvite, Generation: generation})
}

// request is one of a browser that came by a mailed link, with a session where
// somebody is signed in.
func (s *site) request(method, path, form string) *http.Request {
	r := httptest.NewRequest(method, s.Base.String()+path, strings.NewReader(form))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	came := seal.MailedInvitation
	if s.world.shown {
		came = seal.ShownInvitation
	}
	r.AddCookie(&http.Cookie{Name: s.cookieName(linkCookie), Value: s.token(came, 1)})
	r.AddCookie(&http.Cookie{Name: s.cookieName(proofCookie), Value: s.token(seal.SignIn, 0)})
	r.AddCookie(&http.Cookie{Name: s.cookieName(addressCookie), Value: s.token(seal.Address, 0)})
	r.AddCookie(&http.Cookie{Name: s.cookieName(browserCookie), Value: url.Values{
		"id": {string(anInvite)}, "browser": {"b"}, "email": {invited}, "next": {"/invite"},
	}.Encode()})
	r.AddCookie(&http.Cookie{Name: s.cookieName(mailboxCookie), Value: s.world.key})
	if s.world.user != nil {
		r.AddCookie(&http.Cookie{Name: s.cookieName(sessionCookie), Value: aSecret})
	}
	return r
}

func (s *site) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

// tree is the package's folder.
func tree(t *testing.T) fs.FS {
	t.Helper()
	return os.DirFS(".")
}
