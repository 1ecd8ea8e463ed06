package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"hither/test/browser"
	"hither/test/disk"
	"hither/test/harness"

	"github.com/chromedp/chromedp"
)

// stage is a demo with an account, and a person with a browser before it.
type stage struct {
	*harness.Server

	b *browser.Browser
	n int // of pictures
}

func newStage(t *testing.T, change func(seed *harness.Seed)) *stage {
	t.Helper()
	b := browser.Start(t) // first: without one there is nothing to do
	seed := newSeed().Account("Account", theSuper)
	if change != nil {
		change(seed)
	}
	return &stage{Server: harness.Demo(t, "--seed="+seed.Write(t)), b: b}
}

// goes opens a page, sees waits for one by its heading, and presses is a click
// on a button or link.
func (s *stage) goes(t *testing.T, path string) {
	t.Helper()
	s.b.Do(t, chromedp.Navigate(s.URL+path))
}

func (s *stage) sees(t *testing.T, heading string) {
	t.Helper()
	s.b.Do(t, chromedp.WaitVisible(`//h1[contains(., "`+heading+`")]`))
	s.n++
	s.b.Picture(t, strings.NewReplacer("/", "-", "#", "-").Replace(t.Name())+"-"+string(rune('a'+s.n-1)))
}

func (s *stage) presses(t *testing.T, label string) {
	t.Helper()
	s.b.Do(t, chromedp.Click(`//*[self::button or self::a or self::summary][contains(., "`+label+`")]`))
}

func (s *stage) text(t *testing.T) string {
	t.Helper()
	return browser.See(t, s.b, chromedp.Evaluate[string](`document.body.innerText`))
}

// getsMail waits for a mail of a subject in the demo's mailbox, which it shows.
func (s *stage) getsMail(t *testing.T, subject string) {
	t.Helper()
	// The outbox works beside the request that queued: the page is asked for anew
	// until the mail is there.
	for deadline := time.Now().Add(time.Minute); ; {
		s.goes(t, "/demo/mail")
		if strings.Contains(s.text(t), subject) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no mail %q in the mailbox:\n%s", subject, s.text(t))
		}
	}
}

// opensMail opens the newest mail of a subject, and the link in it that begins
// so.
func (s *stage) opensMail(t *testing.T, subject, link string) {
	t.Helper()
	s.getsMail(t, subject)
	s.presses(t, subject)
	s.sees(t, subject)
	s.b.Do(t, chromedp.Click(`//a[contains(@href, "`+link+`")]`))
}

// asks is the account inviting an address.
func (s *stage) asks(t *testing.T, email string) (id string) {
	t.Helper()
	return invite(t, s.Client().As(theSuper), "Account", email)
}

// status is where the account's row of an address stands.
func (s *stage) status(t *testing.T, id string) string {
	t.Helper()
	return s.Client().As(theSuper).OK(t, http.MethodGet, "/organizations/"+harness.ID("Account")+"/invites/"+id, nil).Row(t).Status
}

// opened waits until the account counts so many invitations whose page was opened.
func (s *stage) opened(t *testing.T, want int) {
	t.Helper()
	var got struct{ Opened, Created int }
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		answer := s.Client().As(theSuper).OK(t, http.MethodGet, "/organizations/"+harness.ID("Account")+"/invites/stats", nil)
		if err := json.Unmarshal(answer.Result, &got); err != nil {
			t.Fatal(err)
		}
		if got.Opened == want {
			return
		}
	}
	t.Fatalf("invitations that were opened: got %+v, want %d", got, want)
}

// TestStoryNewUser: somebody new gets a mail, opens its link, accepts, and is a
// member who is signed in.
func TestStoryNewUser(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	id := s.asks(t, "newcomer@example.org")
	s.opensMail(t, "invites you to Account", "/i/")
	s.sees(t, "Join Account")
	if at := browser.See(t, s.b, chromedp.Location()); at != s.URL+"/invite" {
		t.Errorf("the link led to %s", at)
	}
	s.opened(t, 1) // which the page itself tells, and asking for it did not
	if text := s.text(t); !strings.Contains(text, theSuper) || !strings.Contains(text, "Viewer") || !strings.Contains(text, "newcomer@example.org") {
		t.Errorf("the page says\n%s", text)
	}
	s.presses(t, "Accept invitation")
	s.sees(t, "Welcome to Account")
	s.presses(t, "See your organizations")
	s.sees(t, "Your invitations")
	if text := s.text(t); !strings.Contains(text, "Account") || !strings.Contains(text, "Signed in as newcomer@example.org") {
		t.Errorf("the home page says\n%s", text)
	}
	if got := s.status(t, id); got != "accepted" {
		t.Errorf("the invitation is %s", got)
	}
}

// TestStoryExistingUser: whose address has a user, signs in by the code of a
// mail in the same browser, comes back and accepts (KF-29).
func TestStoryExistingUser(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(seed *harness.Seed) { seed.User("regular@example.org") })
	id := s.asks(t, "regular@example.org")
	s.opensMail(t, "invites you to Account", "/i/")
	s.sees(t, "Join Account")
	if strings.Contains(s.text(t), "Accept invitation") {
		t.Error("the link alone accepts for a user who exists")
	}
	s.presses(t, "Sign in to answer")
	s.sees(t, "Look into your mailbox")
	code := s.code(t)
	s.goes(t, "/sign-in/code")
	s.sees(t, "Look into your mailbox")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="code"]`, "WRONGONE"))
	s.presses(t, "Sign in")
	s.b.Do(t, chromedp.WaitVisible(`//*[@role="alert"]`))
	s.b.Do(t, chromedp.SendKeys(`//input[@name="code"]`, code))
	s.presses(t, "Sign in")
	s.sees(t, "Join Account")
	s.presses(t, "Accept invitation")
	s.sees(t, "Welcome to Account")
	if got := s.status(t, id); got != "accepted" {
		t.Errorf("the invitation is %s", got)
	}
}

// code reads the newest sign-in mail's code.
func (s *stage) code(t *testing.T) string {
	t.Helper()
	code, _ := s.signInMail(t)
	return code
}

func (s *stage) signInMail(t *testing.T) (code, link string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		s.goes(t, "/demo/mail")
		letter := browser.See(t, s.b, chromedp.Evaluate[string](
			`[...document.querySelectorAll(".rows a")].filter(a => /sign|code/i.test(a.textContent)).map(a => a.getAttribute("href"))[0] || ""`))
		if letter == "" {
			continue
		}
		s.goes(t, letter)
		text := s.text(t)
		for word := range strings.FieldsSeq(text) {
			if len(word) == 9 && word[4] == '-' && strings.ToUpper(word) == word {
				code = word
			}
			if strings.HasPrefix(word, s.URL+"/s/") {
				link = word
			}
		}
		if code == "" || link == "" {
			t.Fatalf("no code or link in the mail:\n%s", text)
		}
		return code, link
	}
	t.Fatal("no mail to sign in")
	return "", ""
}

// TestStorySignInByLink: the link of the mail asks for one more click, works
// once, and what was signed in to is listed and can be ended.
func TestStorySignInByLink(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(seed *harness.Seed) { seed.User("regular@example.org") })
	s.goes(t, "/home")
	s.sees(t, "Sign in by mail")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="email"]`, "regular@example.org"))
	s.presses(t, "Send link and code")
	s.sees(t, "Look into your mailbox")
	_, link := s.signInMail(t)
	path := strings.TrimPrefix(link, s.URL)
	s.goes(t, path)
	s.sees(t, "Sign in to hither")
	s.presses(t, "Sign in")
	s.sees(t, "Your invitations")
	s.presses(t, "Sessions")
	s.sees(t, "Where you are signed in")
	if text := s.text(t); !strings.Contains(text, "This browser") {
		t.Errorf("the sessions say\n%s", text)
	}
	s.presses(t, "Sign out")
	s.sees(t, "Sign in by mail")
	s.goes(t, path)
	s.sees(t, "Sign in to hither")
	s.presses(t, "Sign in")
	s.sees(t, "This link does not work")
	s.goes(t, "/home")
	s.sees(t, "Sign in by mail")
}

// TestStoryWrongUser: signed in as somebody else the link does nothing, and says
// so without the address; switching leads on (KF-1, KF-3).
func TestStoryWrongUser(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(seed *harness.Seed) { seed.User("regular@example.org") })
	s.goes(t, "/sign-in")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="email"]`, "regular@example.org"))
	s.presses(t, "Send link and code")
	s.sees(t, "Look into your mailbox")
	code := s.code(t)
	s.goes(t, "/sign-in/code")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="code"]`, code))
	s.presses(t, "Sign in")
	s.sees(t, "Your invitations")
	id := s.asks(t, "newcomer@example.com")
	s.opensMail(t, "invites you to Account", "/i/")
	s.sees(t, "This invitation is for somebody else")
	if text := s.text(t); strings.Contains(text, "newcomer") || !strings.Contains(text, "n•••@example.com") {
		t.Errorf("the page says\n%s", text)
	}
	if got := s.status(t, id); got != "pending" {
		t.Errorf("the invitation is %s", got)
	}
	s.presses(t, "Sign out and use the other address")
	s.sees(t, "Join Account")
	s.presses(t, "Accept invitation")
	s.sees(t, "Welcome to Account")
	if text := s.text(t); !strings.Contains(text, "newcomer@example.com") {
		t.Errorf("the page says\n%s", text)
	}
}

// TestStorySecondFactor: somebody new accepts where the account asks for a second
// factor, sets one up on the way, comes back and is a member; the next sign-in
// asks for it (KF-70).
func TestStorySecondFactor(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.Run(t, "account", "set", "Account", "--enforce-two-factor")
	s.Run(t, "user", "set", theSuper, "--two-factor")
	id := s.asks(t, "newcomer@example.org")
	s.opensMail(t, "invites you to Account", "/i/")
	s.sees(t, "Join Account")
	s.presses(t, "Accept invitation")
	s.sees(t, "Account asks for a second factor")
	if got := s.status(t, id); got != "pending" {
		t.Errorf("the invitation is %s", got)
	}
	s.presses(t, "Set up a second factor")
	s.sees(t, "Second factor")
	s.presses(t, "Set up a second factor")
	s.sees(t, "Set up your authenticator")
	if drawn := browser.See(t, s.b, chromedp.Evaluate[int](`document.querySelector("img.qr").naturalWidth`)); drawn < 100 {
		t.Errorf("the QR code is %d pixels wide: the page's own policy may keep it out", drawn)
	}
	seed := strings.ReplaceAll(browser.See(t, s.b, chromedp.Evaluate[string](`document.querySelector("pre.secret").innerText`)), " ", "")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="code"]`, "000000"))
	s.presses(t, "Confirm")
	s.b.Do(t, chromedp.WaitVisible(`//*[@role="alert"]`))
	s.b.Do(t, chromedp.SendKeys(`//input[@name="code"]`, codeOf(t, seed, 0)))
	s.presses(t, "Confirm")
	s.sees(t, "Recovery codes")
	recovery := browser.See(t, s.b, chromedp.Evaluate[string](`document.querySelector(".codes li").innerText`))
	s.presses(t, "Continue")
	s.sees(t, "Join Account")
	s.presses(t, "Accept invitation")
	s.sees(t, "Welcome to Account")
	if got := s.status(t, id); got != "accepted" {
		t.Errorf("the invitation is %s", got)
	}
	s.presses(t, "See your organizations")
	s.sees(t, "Your invitations")
	s.presses(t, "Sign out")
	s.sees(t, "Sign in by mail")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="email"]`, "newcomer@example.org"))
	s.presses(t, "Send link and code")
	s.sees(t, "Look into your mailbox")
	code := s.code(t)
	s.goes(t, "/sign-in/code")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="code"]`, code))
	s.presses(t, "Sign in")
	s.sees(t, "Your second factor")
	s.presses(t, "Use a recovery code")
	s.b.Do(t, chromedp.SendKeys(`//input[@placeholder="XXXXX-XXXXX"]`, recovery))
	s.presses(t, "Sign in")
	s.sees(t, "Your invitations")
}

// TestStoryDecline: somebody new says no, with a word, and no user is made.
func TestStoryDecline(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	id := s.asks(t, "newcomer@example.org")
	s.opensMail(t, "invites you to Account", "/i/")
	s.sees(t, "Join Account")
	s.presses(t, "Decline")
	s.b.Do(t, chromedp.SendKeys(`//textarea[@name="reason"]`, "Thank you, but I am retired."))
	s.presses(t, "Decline invitation")
	s.sees(t, "This invitation was declined")
	if got := s.status(t, id); got != "rejected" {
		t.Errorf("the invitation is %s", got)
	}
	db := disk.Open(t, s.Data, "ro")
	defer db.Close()
	var reason string
	var users int
	if err := db.QueryRow(`SELECT state_after FROM audit WHERE action = 'invite.reject' AND target_id = $1`, id).Scan(&reason); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(reason, "I am retired.") {
		t.Errorf("the account reads %s", reason)
	}
	if err := db.QueryRow(`SELECT count(*) FROM users WHERE email = 'newcomer@example.org'`).Scan(&users); err != nil || users != 0 {
		t.Errorf("users of the address: %d, %v", users, err)
	}
}

// TestStoryLater: not now, and the clock notes when to say it again.
func TestStoryLater(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	id := s.asks(t, "newcomer@example.org")
	s.opensMail(t, "invites you to Account", "/i/")
	s.sees(t, "Join Account")
	s.presses(t, "Remind me later")
	s.b.Do(t, chromedp.WaitVisible(`//*[@role="status"]`))
	db := disk.Open(t, s.Data, "ro")
	defer db.Close()
	var wake int64
	if err := db.QueryRow(`SELECT wake_on FROM memberships WHERE id = $1`, id).Scan(&wake); err != nil {
		t.Fatal(err)
	}
	if until := time.Until(time.UnixMicro(wake)); until < 71*time.Hour || until > 73*time.Hour {
		t.Errorf("reminded in %s, want three days", until)
	}
	if got := s.status(t, id); got != "pending" {
		t.Errorf("the invitation is %s", got)
	}
}

// TestStoryExpired: the link of an invitation that ran out says so, and asks the
// account for another one.
func TestStoryExpired(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	id := s.asks(t, "newcomer@example.org")
	s.opensMail(t, "invites you to Account", "/i/")
	s.sees(t, "Join Account")
	db := disk.Open(t, s.Data, "rw")
	defer db.Close()
	if _, err := db.Exec(`UPDATE memberships SET expires_on = $1 WHERE id = $2`, time.Now().Add(-time.Hour).UnixMicro(), id); err != nil {
		t.Fatal(err)
	}
	s.presses(t, "Accept invitation")
	s.sees(t, "This invitation has expired")
	s.presses(t, "Ask for a new link")
	s.sees(t, "Your request is on its way")
	var asked int64
	if err := db.QueryRow(`SELECT asked_on FROM memberships WHERE id = $1`, id).Scan(&asked); err != nil || asked == 0 {
		t.Errorf("asked at %d, %v", asked, err)
	}
	s.opensMail(t, "asks for a new link to Account", "/accounts/")
	s.signsInAs(t, theSuper)
	s.sees(t, "Send a new link?")
	s.presses(t, "Send a new link")
	s.sees(t, "It is on its way")
	var pending int
	err := db.QueryRow(`SELECT count(*) FROM memberships WHERE email = 'newcomer@example.org' AND status = 'pending' AND id <> $1`, id).Scan(&pending)
	if err != nil || pending != 1 {
		t.Errorf("%d invitations in its place, %v", pending, err)
	}
}

// signsInAs signs in by a code, where a page asks for it.
func (s *stage) signsInAs(t *testing.T, email string) {
	t.Helper()
	s.sees(t, "Sign in by mail")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="email"]`, email))
	s.presses(t, "Send link and code")
	s.sees(t, "Look into your mailbox")
	code := s.code(t)
	s.goes(t, "/sign-in/code")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="code"]`, code))
	s.presses(t, "Sign in")
}

// TestStoryReport: it came to the wrong mailbox, and nothing more comes there
// from the account.
func TestStoryReport(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	s.asks(t, "newcomer@example.org")
	s.opensMail(t, "invites you to Account", "/i/")
	s.sees(t, "Join Account")
	s.presses(t, "This isn’t meant for me")
	s.sees(t, "Is this not meant for you?")
	s.presses(t, "Stop these mails")
	s.sees(t, "You will hear no more of this")
	db := disk.Open(t, s.Data, "ro")
	defer db.Close()
	var n int
	if err := db.QueryRow(`SELECT count(*) FROM suppressions`).Scan(&n); err != nil || n != 1 {
		t.Errorf("suppressions: %d, %v", n, err)
	}
}

// TestStoryAddress: a member changes its address: signed in afresh, by the link
// that goes to the new one. The old address hears of it, an invitation to it is no
// longer theirs, and the membership came along (KF-77).
func TestStoryAddress(t *testing.T) {
	t.Parallel()
	s := newStage(t, func(seed *harness.Seed) {
		employ(seed, "Account", "member@example.org", viewer)
		seed.Accounts = append(seed.Accounts, harness.SeedAccount{ID: harness.ID("Second"), Name: "Second"})
		invited(seed, "Second", "member@example.org", "", viewer)
	})
	s.goes(t, "/address")
	s.signsInAs(t, "member@example.org")
	s.sees(t, "Change your address")
	s.b.Do(t, chromedp.SendKeys(`//input[@name="email"]`, "moved@example.org"))
	s.presses(t, "Send link and code")
	s.sees(t, "Look into your mailbox")
	s.opensMail(t, "Please confirm your new address", "/s/")
	s.sees(t, "Use this address from now on?")
	s.presses(t, "Use the new address")
	s.sees(t, "Your address is changed")
	if text := s.text(t); !strings.Contains(text, "Signed in as moved@example.org") {
		t.Errorf("the page says\n%s", text)
	}
	s.presses(t, "See your organizations")
	s.sees(t, "Your invitations")
	if text := s.text(t); !strings.Contains(text, "Account") || strings.Contains(text, "Second") {
		t.Errorf("the home page says\n%s", text)
	}
	s.getsMail(t, "Your address was changed")
	if text := s.text(t); !strings.Contains(text, "To member@example.org") {
		t.Errorf("the old address was told nothing:\n%s", text)
	}
}
