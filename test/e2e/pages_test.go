package e2e_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/test/harness"
)

// browsing is somebody with a browser of its own, as far as that is cookies.
type browsing struct {
	*http.Client

	t   *testing.T
	url string
}

func browse(t *testing.T, s *harness.Server) *browsing {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browsing{t: t, url: s.URL, Client: &http.Client{
		Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// seen is an answer.
type seen struct {
	status int
	header http.Header
	body   string
}

func (b *browsing) ask(method, path, form string, header http.Header) seen {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(form))
	if err != nil {
		b.t.Fatal(err)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, values := range header {
		r.Header[name] = values
		if name == "Host" {
			r.Host = values[0]
		}
	}
	answer, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return seen{status: answer.StatusCode, header: answer.Header, body: string(body)}
}

func (b *browsing) get(path string) seen { b.t.Helper(); return b.ask(http.MethodGet, path, "", nil) }

func (b *browsing) post(path, form string) seen {
	b.t.Helper()
	return b.ask(http.MethodPost, path, form, nil)
}

func (a seen) heading() string {
	found := regexp.MustCompile(`<h1>(.*?)</h1>`).FindStringSubmatch(a.body)
	if found == nil {
		return ""
	}
	return found[1]
}

// mailed waits until the demo's mailbox has so many letters to an address, and
// returns the text of the newest of them.
func mailed(t *testing.T, s *harness.Server, to string, n int) string {
	t.Helper()
	b := browse(t, s)
	row := regexp.MustCompile(`<a href="(/demo/mail/[0-9a-f]+)">.*?</a></b><small>To ` + regexp.QuoteMeta(to) + ` `)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if found := row.FindAllStringSubmatch(b.get("/demo/mail").body, -1); len(found) >= n {
			outboxRests(t, s)
			return b.get(found[0][1]).body
		}
	}
	t.Fatalf("the mailbox has not %d letters to %s", n, to)
	return ""
}

// outboxRests waits until every message has ended: the outbox notes that one left
// after it did.
func outboxRests(t *testing.T, s *harness.Server) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if len(dump(t, s).where("deliveries", "ended_on", "0")) == 0 {
			return
		}
	}
	t.Fatal("a message is still under way after a minute")
}

// linkIn is the path of a link that a letter has.
func linkIn(t *testing.T, s *harness.Server, letter, below string) string {
	t.Helper()
	found := regexp.MustCompile(regexp.QuoteMeta(s.URL+below) + `[A-Za-z0-9_-]+`).FindString(letter)
	if found == "" {
		t.Fatalf("no link below %s in\n%s", below, letter)
	}
	return strings.TrimPrefix(found, s.URL)
}

func newDemo(t *testing.T, change func(seed *harness.Seed)) *harness.Server {
	t.Helper()
	seed := newSeed().Account("Account", theSuper)
	if change != nil {
		change(seed)
	}
	return harness.Demo(t, "--seed="+seed.Write(t))
}

// dump is the whole database, to the last row, but for some tables.
func dump(t *testing.T, s *harness.Server, without ...string) content {
	t.Helper()
	reading := &site{Server: s}
	found := reading.content(t, without...)
	if err := reading.reader.Close(); err != nil {
		t.Error(err)
	}
	return found
}

// TestScannersChangeNothing follows every link of mails and asks for every page
// as mail scanners and prefetching browsers do, a hundred times the invitation's:
// the database is the same afterwards, to the last row (KF-67).
func TestScannersChangeNothing(t *testing.T) {
	t.Parallel()
	s := newDemo(t, func(seed *harness.Seed) { seed.User("regular@example.org") })
	id := invite(t, s.Client().As(theSuper), "Account", "newcomer@example.org")
	letter := mailed(t, s, "newcomer@example.org", 1)
	asking := browse(t, s)
	asking.post("/sign-in", "email=regular@example.org")
	signIn := mailed(t, s, "regular@example.org", 1)
	links := []string{linkIn(t, s, letter, "/i/"), linkIn(t, s, letter, "/u/"), linkIn(t, s, signIn, "/s/")}
	paths := slices.Concat(links, []string{
		"/invite", "/invite/accept", "/invite/decline", "/invite/later", "/invite/ask", "/invite/report", "/invite/sign-in",
		"/invite/switch", "/invites/" + id, "/invites/" + id + "/accept", "/sign-in", "/sign-in/code", "/sign-in/link", "/sign-out", "/home", "/sessions",
		"/sessions/end-others", "/sessions/" + id + "/end", "/keys", "/keys/" + id + "/rotate",
		"/sign-in/factor", "/sign-in/recovery", "/factor", "/factor/set-up", "/factor/confirm", "/factor/codes", "/factor/remove", "/demo/mail", "/demo/mail/unlock",
		"/invite/mail", "/address", "/address/code", "/address/link", "/accounts/" + harness.ID("Account") + "/invites/" + id,
		"/accounts/" + harness.ID("Account") + "/invites/" + id + "/renew",
	})
	headers := []http.Header{
		{"User-Agent": {"Mozilla/5.0 (compatible; SafeLinks)"}, "Sec-Purpose": {"prefetch;prerender"}, "Purpose": {"prefetch"}},
		{"User-Agent": {"BarracudaCentral"}, "X-Http-Method-Override": {"POST"}, "Content-Type": {"application/x-www-form-urlencoded"}},
		{"X-Moz": {"prefetch"}, "Content-Type": {"application/json"}},
	}
	before := dump(t, s)
	// One keeps cookies, as browsers do, and one does not, as most scanners do.
	for range 100 {
		asking.get(links[0])
	}
	for _, b := range []*browsing{asking, browse(t, s)} {
		for _, path := range paths {
			for i, method := range []string{http.MethodGet, http.MethodHead, http.MethodOptions} {
				got := b.ask(method, path+"?_method=POST&answer=accepted", "List-Unsubscribe=One-Click", headers[i])
				if got.status >= http.StatusInternalServerError {
					t.Errorf("%s %s: %d", method, path, got.status)
				}
			}
		}
	}
	if changes := before.changes(dump(t, s)); len(changes) > 0 {
		t.Errorf("the database was changed:\n%s", strings.Join(changes, "\n"))
	}
	if len(before.of("memberships")) != 2 || len(before.of("challenges")) != 1 || len(before.of("deliveries")) != 2 {
		t.Errorf("the database was not what it should be: %v", before)
	}
	// The link works all the same.
	guest := browse(t, s)
	guest.get(links[0])
	if got := guest.post("/invite/accept", ""); got.status != http.StatusSeeOther || guest.get("/invite").heading() != "Welcome to Account" {
		t.Errorf("accepting after all that: %d\n%s", got.status, got.body)
	}
}

func equal(a, b []string) bool { return strings.Join(a, "\n") == strings.Join(b, "\n") }

// TestLinksAreUsedOnce tries what a link and its kept cookie are good for after
// it served: in another browser (KF-99), after removal, after withdrawal, and
// after a newer one was sent (KF-10).
func TestLinksAreUsedOnce(t *testing.T) {
	t.Parallel()
	s := newDemo(t, nil)
	account := s.Client().As(theSuper)
	id := invite(t, account, "Account", "newcomer@example.org")
	link := linkIn(t, s, mailed(t, s, "newcomer@example.org", 1), "/i/")
	first := browse(t, s)
	first.get(link)
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	kept := first.Jar.Cookies(base)
	first.post("/invite/accept", "")
	if got := first.get("/invite").heading(); got != "Welcome to Account" {
		t.Fatalf("first: %q", got)
	}
	tries := func(when, want string) {
		t.Helper()
		outboxRests(t, s) // the inviter's news of the acceptance among it
		before := dump(t, s, "audit")
		again, replay := browse(t, s), browse(t, s)
		again.get(link)
		replay.Jar.SetCookies(base, kept)
		for name, b := range map[string]*browsing{"the link": again, "the cookie": replay} {
			for _, path := range []string{"/invite/accept", "/invite/decline"} {
				if got := b.post(path, ""); got.status == http.StatusSeeOther && got.header.Get("Location") != "/invite" || got.heading() == "Welcome to Account" {
					t.Errorf("%s, %s, %s: %d %q", when, name, path, got.status, got.heading())
				}
			}
			if got := b.get("/invite").heading(); got != want {
				t.Errorf("%s, %s: %q, want %q", when, name, got, want)
			}
			if got := b.get("/home"); got.status != http.StatusSeeOther {
				t.Errorf("%s, %s: signed in: %d", when, name, got.status)
			}
		}
		if changes := before.changes(dump(t, s, "audit")); len(changes) > 0 {
			t.Errorf("%s the database was changed:\n%s", when, strings.Join(changes, "\n"))
		}
	}
	tries("after accepting", "This invitation was accepted")
	account.OK(t, http.MethodDelete, members("Account")+"/"+id, nil)
	tries("after removal", "This invitation was accepted")

	id = invite(t, account, "Account", "other@example.org")
	link = linkIn(t, s, mailed(t, s, "other@example.org", 1), "/i/")
	kept = nil
	account.OK(t, http.MethodDelete, members("Account")+"/"+id, nil)
	opened := browse(t, s)
	opened.get(link)
	kept = opened.Jar.Cookies(base)
	tries("after withdrawal", "This invitation was withdrawn")
	again := invite(t, account, "Account", "other@example.org")
	if again == id {
		t.Error("the same row again")
	}
	mailed(t, s, "other@example.org", 2)
	tries("after inviting anew", "This invitation was withdrawn")
}

// TestSignInTellsNobody asks for mails to addresses of all sorts: nothing in the
// answers says who has a user (KF-48, KF-49, KF-50).
func TestSignInTellsNobody(t *testing.T) {
	t.Parallel()
	s := newDemo(t, func(seed *harness.Seed) { seed.User("regular@example.org").User("disabled@example.org") })
	s.Run(t, "user", "disable", "disabled@example.org")
	invite(t, s.Client().As(theSuper), "Account", "invited@example.org")
	varying := []string{"X-Request-Id", "Date", "Set-Cookie", "Content-Security-Policy", "Content-Length"}
	clean := func(a seen, address string) (string, http.Header) {
		header := maps.Clone(a.header)
		for _, name := range varying {
			header.Del(name)
		}
		body := strings.ReplaceAll(a.body, strings.ReplaceAll(url.QueryEscape(address), "%40", "@"), "ADDRESS")
		return regexp.MustCompile(`nonce="[A-Z0-9]+"`).ReplaceAllString(body, ""), header
	}
	var wanted []string
	var headers []http.Header
	for _, address := range []string{"regular@example.org", "unknown@example.org", "disabled@example.org", "invited@example.org", theSuper} {
		b := browse(t, s)
		steps := []seen{
			b.post("/sign-in", "email="+address), b.get("/sign-in/code"),
			b.post("/sign-in/code", "code=ABCD-EFGH"), b.post("/sign-in/code", "code="),
		}
		for i, step := range steps {
			body, header := clean(step, address)
			if len(wanted) <= i {
				wanted, headers = append(wanted, body), append(headers, header)
				continue
			}
			if body != wanted[i] || step.status >= http.StatusInternalServerError || !maps.EqualFunc(header, headers[i], equal) {
				t.Errorf("%s, step %d: got %d %v\n%s\nwant %v\n%s", address, i, step.status, header, body, headers[i], wanted[i])
			}
		}
	}
}

// TestLogoutHolds replays the cookie of a session that was ended, here or by the
// user's being disabled (KF-83).
func TestLogoutHolds(t *testing.T) {
	t.Parallel()
	s := newDemo(t, nil)
	invite(t, s.Client().As(theSuper), "Account", "newcomer@example.org")
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	guest := browse(t, s)
	guest.get(linkIn(t, s, mailed(t, s, "newcomer@example.org", 1), "/i/"))
	guest.post("/invite/accept", "")
	kept := guest.Jar.Cookies(base)
	thief := browse(t, s)
	thief.Jar.SetCookies(base, kept)
	if got := thief.get("/home"); got.status != http.StatusOK {
		t.Fatalf("a session that holds: %d", got.status)
	}
	guest.post("/sign-out", "")
	for _, b := range []*browsing{guest, thief} {
		if got := b.get("/home"); got.status != http.StatusSeeOther {
			t.Errorf("after signing out: %d", got.status)
		}
		if got := b.post("/keys/"+harness.ID("x")+"/rotate", ""); got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/sign-in") {
			t.Errorf("after signing out: %d %v", got.status, got.header)
		}
	}
}

// TestPagesNameNoHost asks with everything by which a request can claim to be
// for another host: nothing of it gets into a page, a redirect or a mail (KF-54,
// KF-55, KF-56).
func TestPagesNameNoHost(t *testing.T) {
	t.Parallel()
	s := newDemo(t, func(seed *harness.Seed) { seed.User("regular@example.org") })
	b := browse(t, s)
	const evil = "evil.example"
	hostile := []http.Header{
		{"X-Forwarded-Host": {evil}, "X-Forwarded-Proto": {"https"}, "Forwarded": {"host=" + evil + ";proto=https"}},
		{"X-Forwarded-Server": {evil}, "X-Host": {evil}, "X-Original-Url": {"https://" + evil}, "Referer": {"https://" + evil}},
		{"Host": {evil}},
	}
	n := 0
	for _, header := range hostile {
		for _, path := range []string{"/home", "/sign-in", "/invite", "/sign-in/code"} {
			got := b.ask(http.MethodGet, path, "", header)
			if strings.Contains(got.body, evil) || strings.Contains(got.header.Get("Location"), evil) {
				t.Errorf("GET %s with %v: %s%s", path, header, got.header.Get("Location"), got.body)
			}
		}
		header = header.Clone()
		got := b.ask(http.MethodPost, "/sign-in", "email=regular@example.org", header)
		if header.Get("Host") == "" {
			n++
		} else if got.status != http.StatusMisdirectedRequest {
			t.Errorf("Host %s: %d", evil, got.status)
		}
	}
	letter := mailed(t, s, "regular@example.org", n)
	if strings.Contains(letter, evil) {
		t.Errorf("the mail says\n%s", letter)
	}
	linkIn(t, s, letter, "/s/")
}

// TestLogsHaveNoLinks looks for the secrets of links and sessions in what the
// server wrote, at its most talkative (KF-39, KF-44).
func TestLogsHaveNoLinks(t *testing.T) {
	t.Parallel()
	seed := newSeed().Account("Account", theSuper)
	s := harness.Demo(t, "--seed="+seed.Write(t), "--log-level=debug")
	invite(t, s.Client().As(theSuper), "Account", "newcomer@example.org")
	letter := mailed(t, s, "newcomer@example.org", 1)
	base, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	guest := browse(t, s)
	secrets := []string{linkIn(t, s, letter, "/i/"), linkIn(t, s, letter, "/u/")}
	for _, link := range secrets {
		guest.get(link)
		guest.post(link, "")
		guest.get(link + "x")
		guest.get("/invite?" + link)
	}
	guest.post("/invite/accept", "")
	for _, cookie := range guest.Jar.Cookies(base) {
		secrets = append(secrets, cookie.Value)
	}
	s.Stop(t) // a line is written after its answer
	log := s.Log()
	for _, secret := range secrets {
		secret = secret[strings.LastIndexByte(secret, '/')+1:]
		if len(secret) < 40 || strings.Contains(log, secret) || strings.Contains(log, secret[10:40]) {
			t.Errorf("the log has %s", secret)
		}
	}
	for _, route := range []string{`"route":"/i/{token}"`, `"route":"/u/{token}"`, `"route":"/invite/accept"`} {
		if !strings.Contains(log, route) {
			t.Errorf("the log has no %s", route)
		}
	}
}

// TestLinkOfAUserSignsNobodyIn tries to get into the account of somebody who
// exists by an invitation to its address (KF-29, KF-30), and to learn something
// of it on the way (KF-51).
func TestLinkOfAUserSignsNobodyIn(t *testing.T) {
	t.Parallel()
	s := newDemo(t, func(seed *harness.Seed) {
		person(seed, harness.SeedUser{Email: "regular@example.org", FirstName: "Xaver"})
	})
	invite(t, s.Client().As(theSuper), "Account", "regular@example.org")
	link := linkIn(t, s, mailed(t, s, "regular@example.org", 1), "/i/")
	thief := browse(t, s)
	thief.get(link)
	before := dump(t, s)
	for _, form := range []string{"", "email=thief@example.org", "email=thief@example.org&first_name=Thief&user_id=" + harness.ID("x")} {
		got := thief.post("/invite/accept", form)
		if got.status != http.StatusSeeOther || !strings.HasPrefix(got.header.Get("Location"), "/sign-in") || len(got.header.Values("Set-Cookie")) > 0 {
			t.Errorf("accepting with %q: %d %v", form, got.status, got.header)
		}
	}
	if changes := before.changes(dump(t, s)); len(changes) > 0 {
		t.Errorf("the database was changed:\n%s", strings.Join(changes, "\n"))
	}
	for _, path := range []string{"/invite", "/invite/report", linkIn(t, s, mailed(t, s, "regular@example.org", 1), "/u/")} {
		if got := thief.get(path); got.status != http.StatusOK || strings.Contains(got.body, "Xaver") {
			t.Errorf("%s: %d\n%s", path, got.status, got.body)
		}
	}
}

// TestTheWireIgnoresCookies shows the API every cookie that pages set: it asks
// for credentials all the same (KF-32).
func TestTheWireIgnoresCookies(t *testing.T) {
	t.Parallel()
	s := newDemo(t, nil)
	id := invite(t, s.Client().As(theSuper), "Account", "newcomer@example.org")
	guest := browse(t, s)
	guest.get(linkIn(t, s, mailed(t, s, "newcomer@example.org", 1), "/i/"))
	guest.post("/invite/accept", "")
	if got := guest.get("/home"); got.status != http.StatusOK {
		t.Fatalf("not signed in: %d", got.status)
	}
	mailed(t, s, theSuper, 1) // that somebody joined
	before := dump(t, s)
	for _, o := range operations(t) {
		account := harness.ID("Account")
		path := o.at(map[string]string{
			"account_id": account, "organization_id": account, "role_id": viewer, "member_id": id, "membership_id": id, "invite_id": id,
		})
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
			got := guest.ask(method, "/client/v4"+path, `{"status":"accepted"}`, http.Header{"Content-Type": {"application/json"}})
			if got.status < http.StatusBadRequest {
				t.Errorf("%s %s: %d", method, path, got.status)
			}
		}
	}
	if changes := before.changes(dump(t, s)); len(changes) > 0 {
		t.Errorf("the database was changed:\n%s", strings.Join(changes, "\n"))
	}
}
