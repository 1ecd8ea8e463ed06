package e2e_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"hither/test/disk"
	"hither/test/harness"
)

// bulk is a list of people to invite, as it is told of.
type bulk struct {
	ID        string
	Status    string
	Rows      int
	Counts    map[string]int
	CreatedBy string `json:"created_by"`
	EndedOn   string `json:"ended_on"`
}

// result is what became of a row.
type result struct {
	Line     int
	Email    string
	Outcome  string
	InviteID string `json:"invite_id"`
	Reason   *harness.Message
}

func bulks(account string) string { return "/organizations/" + harness.ID(account) + "/invites/bulk" }

func bulkOf(t testing.TB, a harness.Answer) bulk {
	t.Helper()
	var b bulk
	if err := json.Unmarshal(a.Result, &b); err != nil {
		t.Fatalf("%v: %s", err, a.Body)
	}
	return b
}

// people is a file of n rows, line by line.
func people(n int) []string {
	lines := []string{"email,roles"}
	for i := range n {
		lines = append(lines, fmt.Sprintf("p%05d@people.test,%s", i, viewer))
	}
	return lines
}

func file(lines []string) harness.File { return harness.CSV(strings.Join(lines, "\n") + "\n") }

// awaitBulk polls until a bulk is as it should be, as any client does.
func awaitBulk(t testing.TB, c harness.Client, path string, is func(bulk) bool) bulk {
	t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); ; {
		b := bulkOf(t, c.OK(t, http.MethodGet, path, nil))
		if is(b) {
			return b
		}
		if time.Now().After(deadline) {
			t.Fatalf("the bulk is %+v after four minutes", b)
		}
		<-time.After(50 * time.Millisecond)
	}
}

func ended(b bulk) bool { return b.Status != "running" }

// resultsOf reads all rows by cursor.
func resultsOf(t testing.TB, c harness.Client, path string) []result {
	t.Helper()
	return harness.ByCursor[result](t, c, path+"/results?limit=1000")
}

// TestBulkOfTenThousand invites 10,000 people, of whom some cannot be, while
// somebody else invites one by one.
func TestBulkOfTenThousand(t *testing.T) {
	t.Parallel()
	const n = 10_000
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	c := s.Client().As(theSuper)
	lines := people(n)
	lines[2] = "P00000@PEOPLE.test," + viewer       // once more
	lines[3] = "nobody," + viewer                   // no address
	lines[4] = "four@people.test,no such role"      //
	lines[5] = theSuper + "," + viewer              // a member
	lines[6] = "\"six\n\"@people.test," + viewer    // a broken cell
	lines[6] = "\"six\"\"6\"@people.test," + viewer // likewise, on one line
	singles := 0
	single := func() time.Duration {
		start := time.Now()
		c.OK(t, http.MethodPost, "/accounts/"+harness.ID("Account")+"/members",
			object{"email": fmt.Sprintf("single%d@people.test", singles), "roles": []string{viewer}})
		singles++
		return time.Since(start)
	}
	var alone, beside []time.Duration
	for range 100 {
		alone = append(alone, single())
	}
	start := time.Now()
	begun := bulkOf(t, c.OK(t, http.MethodPost, bulks("Account"), file(lines)))
	taken := time.Since(start)
	if begun.Rows != n || begun.Counts["refused"] != 4 || begun.CreatedBy != theSuper {
		t.Errorf("as it was taken on: %+v", begun)
	}
	path := bulks("Account") + "/" + begun.ID
	done := awaitBulk(t, c, path, func(b bulk) bool {
		beside = append(beside, single())
		return ended(b)
	})
	took := time.Since(start)
	slices.Sort(alone)
	slices.Sort(beside)
	late := func(of []time.Duration) time.Duration { return of[len(of)*99/100] }
	t.Logf("%d rows were taken on in %s and worked off in %s, %.0f a second; of %d single invitations beside them the 99th percentile is %s, alone %s: %.1f times",
		n, taken, took, n/took.Seconds(), len(beside), late(beside), late(alone), float64(late(beside))/float64(late(alone)))
	want := map[string]int{"waiting": 0, "invited": n - 5, "already_invited": 0, "already_member": 1, "refused": 4, "canceled": 0}
	if fmt.Sprint(done.Counts) != fmt.Sprint(want) || done.Status != "finished" || done.EndedOn == "" {
		t.Errorf("at the end: %+v, want %v", done, want)
	}
	rows := resultsOf(t, c, path)
	if len(rows) != n {
		t.Fatalf("%d results, want %d", len(rows), n)
	}
	for line, want := range map[int]struct {
		code    int
		pointer string
	}{3: {1001, "/email"}, 4: {1001, "/email"}, 5: {1001, "/roles/0"}, 6: {1207, ""}, 7: {1001, ""}} {
		row := rows[line-2]
		if row.Line != line || row.Reason == nil || row.Reason.Code != want.code || row.Reason.Source.Pointer != want.pointer {
			t.Errorf("line %d: %+v %+v, want %+v", line, row, row.Reason, want)
		}
	}
	text := c.OK(t, http.MethodGet, path+"/results?format=csv", nil).Body
	table, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
	if err != nil || len(table) != n+1 || table[3][2] != "refused" || table[7][1] != "p00006@people.test" || table[7][3] != rows[6].InviteID {
		t.Errorf("as CSV: %v, %d lines, %q, %q", err, len(table), table[3], table[7])
	}
	if got := strings.Count(string(c.OK(t, http.MethodGet, path+"/results?format=jsonl&outcome=refused", nil).Body), "\n"); got != 4 {
		t.Errorf("refused, as lines of JSON: %d, want 4", got)
	}
	d := disk.Read(t, s.Data)
	pending := 0
	for _, row := range d.Rows {
		if row.Status == "pending" {
			pending++
		}
	}
	if pending != n-5+singles {
		t.Errorf("%d rows are pending, want %d", pending, n-5+singles)
	}
}

// TestBulkSurvivesKills kills the server again and again while it works: no row is
// done twice, and none is lost.
func TestBulkSurvivesKills(t *testing.T) {
	t.Parallel()
	const n = 3000
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	begun := bulkOf(t, s.Client().As(theSuper).Once("the file").OK(t, http.MethodPost, bulks("Account"), file(people(n))))
	path := bulks("Account") + "/" + begun.ID
	kills, waiting := 0, n
	for range rounds(8, 3) {
		b := awaitBulk(t, s.Client().As(theSuper), path, func(b bulk) bool { return b.Counts["waiting"] < waiting-100 || ended(b) })
		if ended(b) {
			break
		}
		waiting = b.Counts["waiting"]
		s.Kill(t)
		kills++
		s.Start(t)
	}
	c := s.Client().As(theSuper)
	// Who sends it again finds the same one.
	again := c.Once("the file").OK(t, http.MethodPost, bulks("Account"), file(people(n)))
	if bulkOf(t, again).ID != begun.ID || again.Header.Get(replayed) != "true" {
		t.Errorf("sent again: %s, want %s", again.Body, begun.ID)
	}
	done := awaitBulk(t, c, path, ended)
	if done.Counts["invited"] != n {
		t.Errorf("at the end: %+v, want %d invited", done, n)
	}
	seen := map[string]bool{}
	for i, row := range resultsOf(t, c, path) {
		if row.Line != i+2 || row.Outcome != "invited" || seen[row.InviteID] {
			t.Fatalf("row %d: %+v", i, row)
		}
		seen[row.InviteID] = true
	}
	d := disk.Read(t, s.Data) // one audit row for each, among other things
	for id := range seen {
		if d.Rows[id].Status != "pending" || len(d.Events[id]) != 1 {
			t.Fatalf("invitation %s: %+v with %d events", id, d.Rows[id], len(d.Events[id]))
		}
	}
	if kills == 0 {
		t.Error("it was through before it could be killed")
	}
	t.Logf("killed %d times", kills)
}

// TestBulkDryRun: the difference that a file would make, and nothing made.
func TestBulkDryRun(t *testing.T) {
	t.Parallel()
	seed := newSeed().Account("Account", theSuper)
	seed.Accounts[0].Settings = &harness.SeedSettings{MemberLimit: 5}
	s := harness.Serve(t, seed)
	c := s.Client().As(theSuper)
	members := "/accounts/" + harness.ID("Account") + "/members"
	standing := c.OK(t, http.MethodPost, members, object{"email": "asked@people.test", "roles": []string{viewer}}).Row(t)
	c.OK(t, http.MethodPost, members, object{"email": "other@people.test", "roles": []string{harness.ReadOnly}})
	ends := time.Now().Add(40 * 24 * time.Hour).UTC().Format(time.RFC3339)
	lines := strings.Join([]string{
		`{"email":"NEW@people.test","roles":["` + viewer + `"],"locale":"de","expires_on":"` + time.Now().Add(48*time.Hour).UTC().Format(time.RFC3339) + `"` +
			`,"membership_expires_on":"` + ends + `"}`,
		`{"email":"asked@people.test","roles":[{"id":"` + viewer + `"}]}`,
		`{"email":"other@people.test","roles":["` + viewer + `"]}`,
		``,
		`{"email":"` + theSuper + `","roles":["` + viewer + `"]}`,
		`{"email":"new@people.test","roles":["` + viewer + `"]}`,
		`{"email":"soon@people.test","roles":["` + viewer + `"],"expires_on":"2020-01-01T00:00:00Z"}`,
		`{"email":"second@people.test","roles":["Administrator Read Only"],"note":"Welcome"}`,
		`{"email":"full@people.test","roles":["` + viewer + `"]}`,
		`{"email":"typo@people.test","role":["` + viewer + `"]}`,
		`{"email":7,"roles":[]}`, `{"roles":[]}`, `{"email":"x@people.test","roles":"` + viewer + `"}`, `[]`, `{"email":`,
		`{"email":"when@people.test","roles":["` + viewer + `"],"membership_expires_on":"in May"}`,
	}, "\n")
	answer := c.OK(t, http.MethodPost, bulks("Account")+"?dry_run=true", harness.File{Kind: "application/x-ndjson", Text: lines})
	var preview struct {
		Rows    int
		Counts  map[string]int
		Results []result
	}
	if err := json.Unmarshal(answer.Result, &preview); err != nil {
		t.Fatal(err)
	}
	want := []struct {
		line    int
		outcome string
		code    int
		pointer string
	}{
		{1, "would_invite", 0, ""},
		{2, "already_invited", 1208, ""},
		{3, "refused", 1208, ""},
		{5, "already_member", 1207, ""},
		{6, "refused", 1001, "/email"},
		{7, "refused", 1001, "/expires_on"},
		{8, "would_invite", 0, ""},
		{9, "refused", 1204, ""},
		{10, "refused", 1001, "/role"},
		{11, "refused", 1001, "/email"},
		{12, "refused", 1001, "/email"},
		{13, "refused", 1001, "/roles"},
		{14, "refused", 1001, ""},
		{15, "refused", 1001, ""},
		{16, "refused", 1001, "/membership_expires_on"},
	}
	if preview.Rows != len(want) || preview.Counts["would_invite"] != 2 || preview.Counts["refused"] != 11 {
		t.Errorf("got %d rows, %v", preview.Rows, preview.Counts)
	}
	for i, row := range preview.Results {
		got := want[i]
		got.line, got.outcome, got.code, got.pointer = row.Line, row.Outcome, 0, ""
		if row.Reason != nil {
			got.code, got.pointer = row.Reason.Code, row.Reason.Source.Pointer
		}
		if got != want[i] {
			t.Errorf("row %d: got %+v, want %+v: %+v", i, got, want[i], row.Reason)
		}
	}
	if got := preview.Results[1].InviteID; got != standing.ID {
		t.Errorf("the invitation that stands: %q, want %s", got, standing.ID)
	}
	if listed := c.OK(t, http.MethodGet, bulks("Account"), nil); listed.ResultInfo.TotalCount != 0 {
		t.Errorf("after a dry run: %s", listed.Body)
	}
	if got := len(disk.Read(t, s.Data).Rows); got != 3 {
		t.Errorf("%d memberships after a dry run, want 3", got)
	}
	// And then it comes as it was said.
	begun := bulkOf(t, c.OK(t, http.MethodPost, bulks("Account"), harness.File{Kind: "application/jsonl; charset=utf-8", Text: lines}))
	path := bulks("Account") + "/" + begun.ID
	awaitBulk(t, c, path, ended)
	rows := resultsOf(t, c, path)
	for i, row := range rows {
		if outcome := strings.Replace(row.Outcome, "invited", "would_invite", 1); row.Outcome != want[i].outcome && outcome != want[i].outcome {
			t.Errorf("row %d: %s, want %s", i, row.Outcome, want[i].outcome)
		}
	}
	made := c.OK(t, http.MethodGet, "/organizations/"+harness.ID("Account")+"/invites/"+rows[0].InviteID, nil)
	if !strings.Contains(string(made.Body), `"membership_expires_on":"`+ends+`"`) {
		t.Errorf("got %s, want a membership that ends at %s", made.Body, ends)
	}
}

// TestBulkFilesThatAreRefused: what leaves unclear what is meant is refused as a
// whole, with the line; what programs write is taken.
func TestBulkFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	s := harness.Serve(t, newSeed().Account("Account", theSuper))
	c := s.Client().As(theSuper).Exempt("deliberate bad input")
	for name, test := range map[string]struct {
		kind, text string
		status     int
		code       int
		says       string
	}{
		"empty":               {"text/csv", "", 400, 1002, "is empty"},
		"only names":          {"text/csv", "email,roles\n", 400, 1001, "no rows"},
		"only blank rows":     {"text/csv", "email,roles\n,\n , \n\n", 400, 1001, "no rows"},
		"no names":            {"text/csv", "a@b.test,x\n", 400, 1002, "line 1"},
		"an unknown column":   {"text/csv", "\n\nemail,roles,Phone\n", 400, 1002, `line 3: there is no column "phone"`},
		"a column twice":      {"text/csv", "email,roles,EMAIL\n", 400, 1002, "email is there twice"},
		"no roles":            {"text/csv", "email\na@b.test\n", 400, 1002, "roles is missing"},
		"an open quotation":   {"text/csv", "email,roles\na@b.test,x\n\"c@b.test,x\nd@b.test,x\n", 400, 1002, "line 3"},
		"UTF-16":              {"text/csv", "\xff\xfee\x00m\x00", 400, 1002, "UTF-16"},
		"an endless line":     {"application/x-ndjson", `{"email":"` + strings.Repeat("x", 70_000) + `"}`, 400, 1002, "line 1"},
		"too many rows":       {"text/csv", strings.Join(people(10_001), "\n"), 400, 1001, "line 10002"},
		"too long":            {"text/csv", "email,roles\n" + strings.Repeat("x", 8<<20), 413, 1002, "divide"},
		"JSON":                {"application/json", `{"email":"a@b.test"}`, 415, 1002, "text/csv"},
		"nothing declared":    {"", "email,roles\n", 415, 1002, "text/csv"},
		"another charset":     {"text/csv; charset=iso-8859-1", "email,roles\n", 415, 1002, "UTF-8"},
		"not a value to know": {"text/csv", "email,roles\na@b.test," + viewer + "\n", 400, 1001, "dry_run"},
	} {
		path := bulks("Account")
		if test.says == "dry_run" {
			path += "?dry_run=yes"
		}
		answer := c.Refused(t, http.MethodPost, path, harness.File{Kind: test.kind, Text: test.text}, test.status, test.code)
		if !strings.Contains(answer.Errors[0].Message, test.says) {
			t.Errorf("%s: got %q, want %q in it", name, answer.Errors[0].Message, test.says)
		}
	}
	if listed := c.OK(t, http.MethodGet, bulks("Account"), nil); listed.ResultInfo.TotalCount != 0 {
		t.Errorf("after all that was refused: %s", listed.Body)
	}
	for name, text := range map[string]string{
		"a mark, semicolons, CRLF": "\xef\xbb\xbfEmail;Roles;Locale\r\na1@b.test;" + viewer + ";de\r\n\"a2@b.test\"; " + viewer + " ;\r\n",
		"an end":                   "email,roles,membership_expires_on\na1@b.test," + viewer + ",2099-01-01T00:00:00Z\na2@b.test," + viewer + ",\n",
		"tabs":                     "roles\temail\n" + viewer + "\ta1@b.test\n" + viewer + "\ta2@b.test",
		"breaks within cells":      "email,roles\n\"a1@b.test\n\",\"" + viewer + "\n\"\na2@b.test,\"" + viewer + "|" + harness.ReadOnly + "\"\n",
	} {
		answer := c.OK(t, http.MethodPost, bulks("Account")+"?dry_run=true", harness.CSV(text))
		if !strings.Contains(string(answer.Result), `"would_invite":2`) {
			t.Errorf("%s: %s", name, answer.Result)
		}
		if name == "breaks within cells" && !strings.Contains(string(answer.Result), `"line":5,"email":"a2@b.test"`) {
			t.Errorf("%s: %s, want line 5", name, answer.Result)
		}
	}
}

// TestBulkIsItsAccounts: nobody else sees one, or learns that it is there; and who
// may invite sees and cancels those of others.
func TestBulkIsItsAccounts(t *testing.T) {
	t.Parallel()
	seed := newSeed().Account("Account", theSuper).Account("Other", "other@people.test")
	person(seed, harness.SeedUser{Email: "reader@people.test"})
	person(seed, harness.SeedUser{Email: "manager@people.test"})
	seed.Member("Account", "reader@people.test", harness.ReadOnly).Member("Account", "manager@people.test", manager)
	s := harness.Serve(t, seed)
	c := s.Client()
	lines := people(400)
	begun := bulkOf(t, c.As(theSuper).OK(t, http.MethodPost, bulks("Account"), file(lines)))
	own, elsewhere := bulks("Account")+"/"+begun.ID, bulks("Other")+"/"+begun.ID
	for _, end := range []string{"", "/results", "/results?format=csv"} {
		c.As("other@people.test").Refused(t, http.MethodGet, own+end, nil, 404, 7003)
		c.As("other@people.test").Refused(t, http.MethodGet, elsewhere+end, nil, 404, 1003)
		c.As("reader@people.test").Refused(t, http.MethodGet, own+end, nil, 403, 9109)
		c.As("manager@people.test").OK(t, http.MethodGet, own+end, nil)
	}
	c.As("other@people.test").Refused(t, http.MethodDelete, own, nil, 404, 7003)
	c.As("other@people.test").Refused(t, http.MethodDelete, elsewhere, nil, 404, 1003)
	c.As("reader@people.test").Refused(t, http.MethodDelete, own, nil, 403, 9109)
	c.As("reader@people.test").Refused(t, http.MethodGet, bulks("Account"), nil, 403, 9109)
	c.As("reader@people.test").Refused(t, http.MethodPost, bulks("Account"), file(lines), 403, 9109)
	c.As("other@people.test").Refused(t, http.MethodPost, bulks("Account")+"?dry_run=true", file(lines), 404, 7003)
	canceled := bulkOf(t, c.As("manager@people.test").OK(t, http.MethodDelete, own, nil))
	if canceled.Counts["waiting"] != 0 || canceled.Counts["invited"]+canceled.Counts["canceled"] != 400 {
		t.Errorf("canceled: %+v", canceled)
	}
	after := awaitBulk(t, c.As(theSuper), own, ended)
	if fmt.Sprint(after) != fmt.Sprint(canceled) {
		t.Errorf("after it was canceled: %+v, want %+v", after, canceled)
	}
	if listed := c.As("manager@people.test").OK(t, http.MethodGet, bulks("Account"), nil); listed.ResultInfo.TotalCount != 1 {
		t.Errorf("listed: %s", listed.Body)
	}
}

// TestBulkOfWhoLosesTheRight takes the role of who began a bulk away in the middle:
// what is left is refused, and says why.
func TestBulkOfWhoLosesTheRight(t *testing.T) {
	t.Parallel()
	const n = 10_000
	seed := newSeed().Account("Account", theSuper)
	person(seed, harness.SeedUser{Email: "manager@people.test"})
	seed.Member("Account", "manager@people.test", manager)
	s := harness.Serve(t, seed)
	c := s.Client()
	lines := people(n)
	for i := range lines {
		lines[i] = strings.Replace(lines[i], viewer, harness.MinimalAccess, 1)
	}
	begun := bulkOf(t, c.As("manager@people.test").OK(t, http.MethodPost, bulks("Account"), file(lines)))
	path := bulks("Account") + "/" + begun.ID
	awaitBulk(t, c.As(theSuper), path, func(b bulk) bool { return b.Counts["invited"] > 0 || ended(b) })
	c.As(theSuper).OK(t, http.MethodPut, "/accounts/"+harness.ID("Account")+"/members/"+harness.ID("Account manager@people.test"),
		object{"roles": []string{viewer}})
	done := awaitBulk(t, c.As(theSuper), path, ended)
	if done.Counts["invited"] == 0 || done.Counts["refused"] == 0 || done.Counts["invited"]+done.Counts["refused"] != n {
		t.Fatalf("at the end: %+v", done)
	}
	rows := resultsOf(t, c.As(theSuper), path)
	for i, row := range rows {
		if want := i < done.Counts["invited"]; (row.Outcome == "invited") != want || !want && (row.Reason == nil || row.Reason.Code != 9109) {
			t.Fatalf("row %d: %+v %+v", i, row, row.Reason)
		}
	}
	t.Logf("%d invited, then %d refused: %s", done.Counts["invited"], done.Counts["refused"], rows[n-1].Reason.Message)
}
