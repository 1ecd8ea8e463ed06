package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/seal"
)

// someone is an actor by address; "" is a visitor.
func someone(email string, change ...func(u *iam.User)) iam.Actor {
	if email == "" {
		return iam.Actor{}
	}
	user := iam.User{ID: aUser, Email: email, Verified: true}
	for _, c := range change {
		c(&user)
	}
	return iam.Actor{Kind: iam.ByUser, User: user}
}

func unproven(u *iam.User) { u.Verified = false }
func guarded(u *iam.User)  { u.TwoFactor = true }

// TestStanding says how an invitation stands to whom, and what they may do and
// see of it.
func TestStanding(t *testing.T) {
	t.Parallel()
	at := func(s iam.Status) func(v *visit) { return func(v *visit) { v.Status = s } }
	known := func(v *visit) { v.Known = true }
	shown := func(v *visit) { v.link.Purpose = seal.ShownInvitation }
	byID := func(v *visit) { v.link = nil }
	resent := func(v *visit) { v.Link.Generation = 2 }
	late := func(v *visit) { v.ExpiresOn = noon() }
	enforced := func(v *visit) { v.Account.EnforceTwoFactor = true }
	suspended := func(v *visit) { v.Account.Suspended = true }
	lost := func(v *visit) { v.NeedsConfirmation = true }
	mine := func(v *visit) { v.UserID = aUser }
	others := func(v *visit) { v.UserID = anAccount }
	for _, test := range []struct {
		name   string
		actor  iam.Actor
		change []func(v *visit)
		want   standing
		may    bool // answer at once
		whole  bool // see the whole address
	}{
		{"new, by mail", someone(""), nil, open, true, true},
		{"known, by mail", someone(""), []func(v *visit){known}, open, false, true},
		{"shown link", someone(""), []func(v *visit){shown}, open, false, false},
		{"shown link, known", someone(""), []func(v *visit){shown, known}, open, false, false},
		{"own", someone(invited), []func(v *visit){known}, open, true, true},
		{"own, shown link", someone(invited), []func(v *visit){known, shown}, open, true, true},
		{"own, by id", someone(invited), []func(v *visit){known, byID}, open, true, true},
		{"own, old link", someone(invited), []func(v *visit){known, resent}, open, true, true},
		{"own address, unproven", someone(invited, unproven), []func(v *visit){known}, wrong, false, false},
		{"other (KF-1, KF-3)", someone(stranger), nil, wrong, false, false},
		{"other of the same domain (KF-2)", someone("john.appleseed@example.com.evil.com"), nil, wrong, false, false},
		{"other by suffix (KF-2)", someone("x" + invited), nil, wrong, false, false},
		{"old link (KF-10)", someone(""), []func(v *visit){resent}, replaced, true, true},
		{"late", someone(""), []func(v *visit){late}, expired, true, true},
		{"late, old link", someone(""), []func(v *visit){late, resent}, expired, true, true},
		{"withdrawn", someone(""), []func(v *visit){at(iam.Canceled)}, withdrawn, true, true},
		{"withdrawn from its own", someone(invited), []func(v *visit){at(iam.Canceled)}, withdrawn, true, true},
		{"accepted by who looks", someone(invited), []func(v *visit){at(iam.Accepted), mine}, joined, true, true},
		{"accepted, nobody", someone(""), []func(v *visit){at(iam.Accepted), others, known}, answered, false, true},
		{"accepted by another user of the address", someone(invited), []func(v *visit){at(iam.Accepted), others}, answered, false, false},
		{"left", someone(invited), []func(v *visit){at(iam.Left), mine}, answered, true, true},
		{"removed (KF-10)", someone(""), []func(v *visit){at(iam.Removed), others, known}, answered, false, true},
		{"declined", someone(""), []func(v *visit){at(iam.Rejected)}, declined, true, true},
		{"suspended", someone(""), []func(v *visit){suspended}, paused, true, true},
		{"suspended, other", someone(stranger), []func(v *visit){suspended}, paused, false, false},
		{"grantor lost", someone(""), []func(v *visit){lost}, unconfirmed, true, true},
		{"grantor lost, other", someone(stranger), []func(v *visit){lost}, wrong, false, false},
		{"factor", someone(invited), []func(v *visit){enforced, known}, factor, true, true},
		{"factor shown", someone(invited, guarded), []func(v *visit){enforced, known}, open, true, true},
		{"factor, new", someone(""), []func(v *visit){enforced}, open, true, true},
	} {
		v := visit{LinkedInvitation: newWorld().linked, link: &seal.Link{Purpose: seal.MailedInvitation, ID: anInvite, Generation: 1}}
		for _, change := range test.change {
			change(&v)
		}
		if got := standingOf(v, test.actor, noon()); got != test.want {
			t.Errorf("%s: stands %q, want %q", test.name, got, test.want)
		}
		if got := v.mayAnswer(test.actor); got != test.may {
			t.Errorf("%s: may answer is %v", test.name, got)
		}
		if got := v.address(test.actor) == invited; got != test.whole {
			t.Errorf("%s: the address is shown as %q", test.name, v.address(test.actor))
		}
	}
}

// TestPagesOfAShownLink shows who holds a link that proves nothing only what it
// was shown for: no whole address anywhere (KF-51).
func TestPagesOfAShownLink(t *testing.T) {
	t.Parallel()
	for _, e := range exhibits() {
		s := newSite(t, e.world, "https://hither.example.com")
		r := e.request(s)
		cookies := r.Cookies()
		r.Header.Del("Cookie")
		for _, cookie := range cookies {
			if cookie.Name == s.cookieName(linkCookie) {
				cookie.Value = s.token(seal.ShownInvitation, 1)
			}
			if cookie.Name == s.cookieName(linkCookie) || e.world.user != nil && e.world.user.Email == stranger {
				r.AddCookie(cookie)
			}
		}
		if strings.HasPrefix(e.path, "/demo/") || e.path == "/sign-in/code" {
			continue // whose mails these are, and who asked, is known
		}
		if got := s.do(r); strings.Contains(got.Body.String(), invited) {
			t.Errorf("%s shows the address:\n%s", e.name, got.Body)
		}
	}
}

// TestLater chooses when later is.
func TestLater(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for left, want := range map[time.Duration]int{
		90 * day: 3, 4*day + time.Hour: 3, 4 * day: 1, 2 * day: 1, day + 2*time.Hour: 1, day: 0, time.Hour: 0, -day: 0,
	} {
		v := visit{LinkedInvitation: newWorld().linked}
		v.ExpiresOn = noon().Add(left)
		got, ok := v.reminder(noon())
		if got.InDays != want || ok != (want > 0) {
			t.Errorf("%s left: got %d days, %v, want %d", left, got.InDays, ok, want)
		}
	}
}

// TestAnswersGoWhereTheyBelong holds which use case an answer is given by, and
// where a refusal leads.
func TestAnswersGoWhereTheyBelong(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, path, form string
		world            *world
		call             string
		status           int
		location         string
	}{
		{"new accepts", "/invite/accept", "", newWorld(), "answer by link: accepted", 303, "/invite"},
		{"new declines", "/invite/decline", "reason=no", newWorld(), "decline by link: no", 303, "/invite"},
		{"own accepts", "/invite/accept", "", newWorld().as(invited), "answer: accepted", 303, "/invite"},
		{"own declines", "/invite/decline", "reason=no", newWorld().as(invited), "decline: no", 303, "/invite"},
		{"by id", "/invites/" + string(anInvite) + "/accept", "", newWorld().as(invited), "answer: accepted", 303, "/invites/" + string(anInvite)},
		{"other accepts, and it is audited (KF-1)", "/invite/accept", "", refusing(iam.WrongAddress).as(stranger), "answer by link: accepted", 403, ""},
		{"sign in first (KF-29)", "/invite/accept", "", refusing(iam.SignInFirst), "answer by link: accepted", 303, "/sign-in?next=%2Finvite"},
		{"sign in again", "/invite/accept", "", refusing(iam.SignInAgain).as(invited), "answer: accepted", 303, "/sign-in?next=%2Finvite"},
		{"too late", "/invite/accept", "", refusing(iam.InviteExpired), "answer by link: accepted", 410, ""},
		{"too late by a moment", "/invite/accept", "", refusing(iam.AlreadyAnswered), "answer by link: accepted", 303, "/invite"},
		{"withdrawn", "/invite/accept", "", refusing(iam.InviteWithdrawn), "answer by link: accepted", 410, ""},
		{"replaced", "/invite/accept", "", refusing(iam.LinkReplaced), "answer by link: accepted", 410, ""},
		{"factor", "/invite/accept", "", refusing(iam.TwoFactorRequired).as(invited), "answer: accepted", 403, ""},
		{"grantor", "/invite/accept", "", refusing(iam.GrantorLost), "answer by link: accepted", 403, ""},
		{"domain", "/invite/accept", "", refusing(iam.DomainRefused), "answer by link: accepted", 403, ""},
		{"suspended", "/invite/accept", "", refusing(iam.AccountSuspended), "answer by link: accepted", 403, ""},
		{"raced", "/invite/accept", "", refusing(iam.Conflict), "answer by link: accepted", 409, ""},
		{"shown link, mailed", "/invite/mail", "", newWorld().with(func(w *world) { w.shown = true }), "mail link", 200, ""},
		{"mailed too often", "/invite/mail", "", refusing(iam.TooManyAttempts).with(func(w *world) { w.shown = true }), "mail link", 429, ""},
		{"long reason", "/invite/decline", "reason=no", refusing(iam.Invalid), "decline by link: no", 409, ""},
	} {
		s := newSite(t, test.world, "https://hither.example.com")
		got := s.do(s.request(http.MethodPost, test.path, test.form))
		if got.Code != test.status || got.Header().Get("Location") != test.location {
			t.Errorf("%s: got %d %q, want %d %q", test.name, got.Code, got.Header().Get("Location"), test.status, test.location)
		}
		if len(test.world.calls) != 1 || test.world.calls[0] != test.call {
			t.Errorf("%s: called %q, want %q", test.name, test.world.calls, test.call)
		}
	}
}

// TestDeadLinksMailNothing asks for the mailed link by one that is dead.
func TestDeadLinksMailNothing(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(w *world){
		"replaced": func(w *world) { w.linked.Link.Generation = 2 },
		"declined": func(w *world) { w.linked.Status = iam.Rejected },
		"wrong":    func(w *world) { w.as(stranger) },
	} {
		w := newWorld().with(func(w *world) { w.shown = true }).with(change)
		s := newSite(t, w, "https://hither.example.com")
		if got := s.do(s.request(http.MethodPost, "/invite/mail", "")); len(w.calls) > 0 || strings.Contains(got.Body.String(), invited) {
			t.Errorf("%s: %d, called %q", name, got.Code, w.calls)
		}
	}
}
