package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"hither/internal/clock"
	"hither/internal/iam"
	"hither/internal/id"
)

// inviteCommand is `hither invite`. It speaks to a server, as any client could.
type inviteCommand struct {
	apiSettings
	CSV     string `help:"The people to invite, a row each, after a line that names the columns: email, roles, expires_on, membership_expires_on, locale, note. - is standard input." name:"csv" placeholder:"FILE"`
	JSONL   string `help:"The same as a JSON object a line, instead of --csv." name:"jsonl" placeholder:"FILE"`
	Account string `help:"Id or name of the account that invites." placeholder:"ACCOUNT" required:""`
	DryRun  bool   `help:"Only say what would become of each row."`
	Cancel  string `help:"Cancel a bulk by its id, instead of beginning one: rows that wait are left out, and who is invited stays so." placeholder:"BULK"`
	Anew    bool   `help:"Begin anew, although the same file was sent within 24 hours. Who is invited already gets no second mail."`
	JSON    bool   `help:"Print what became of each row, a JSON object a line." name:"json"`
}

// maxInvited is how long a file may be, in bytes: what the API takes.
const maxInvited = 8 << 20

// invitedBulk is a bulk as the API tells of it.
type invitedBulk struct {
	ID        string         `json:"id"`
	Status    string         `json:"status"`
	Rows      int            `json:"rows"`
	Counts    map[string]int `json:"counts"`
	CreatedOn time.Time      `json:"created_on"`
}

// invitedRow is what became of a row.
type invitedRow struct {
	Line    int    `json:"line"`
	Email   string `json:"email"`
	Outcome string `json:"outcome"`
	Reason  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"reason"`
}

// Run invites. Killed and started again, it finds what it had begun: the key of its
// request is made of the file and the account.
func (c *inviteCommand) Run(ctx context.Context, s streams) error {
	client, err := c.client(s.err)
	if err != nil {
		return err
	}
	if c.Cancel != "" {
		return c.cancel(ctx, client, s)
	}
	request, err := c.request(s.in)
	if err != nil {
		return err
	}
	account, err := client.account(ctx, c.Account)
	if err != nil {
		return err
	}
	request.path = bulksOf(account)
	if c.DryRun {
		return c.preview(ctx, client, request, s)
	}
	request.key = c.key(account, request)
	var bulk invitedBulk
	replayed, err := client.do(ctx, request, &bulk)
	switch {
	case ctx.Err() != nil:
		return errors.New("interrupted before the server had answered: the same command again shows whether it took the file on, or sends it")
	case err != nil:
		return fmt.Errorf("nobody was invited: %w", err)
	}
	if replayed {
		_, _ = fmt.Fprintf(s.err, "this file was sent at %s as bulk %s, and this goes on with that; --anew begins another time\n",
			bulk.CreatedOn.Format(time.RFC3339), bulk.ID)
	} else {
		_, _ = fmt.Fprintf(s.err, "the server took it on as bulk %s\n", bulk.ID)
	}
	path := request.path + "/" + bulk.ID
	begun := bulk.ID
	if bulk, err = client.follow(ctx, path, s.err); err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		return fmt.Errorf("%w; the server goes on with the bulk: the same command again follows it, and with the same server and "+
			"credentials this cancels it:\n  hither invite --account %s --cancel %s", err, account, begun)
	}
	if err := c.results(ctx, client, path, s); err != nil {
		return err
	}
	return c.sum(s, bulk.Counts, string(iam.BulkInvited), "invited")
}

// bulksOf is where the bulks of an account are.
func bulksOf(account string) string { return "/organizations/" + account + "/invites/bulk" }

// cancel ends a bulk before its time. One that ended stays as it is.
func (c *inviteCommand) cancel(ctx context.Context, client *apiClient, s streams) error {
	if c.CSV != "" || c.JSONL != "" || c.DryRun || c.Anew {
		return usageError{"--cancel ends a bulk and begins none: leave --csv, --jsonl, --dry-run and --anew out"}
	}
	if _, ok := iam.ParseID(c.Cancel); !ok {
		return usageError{"--cancel needs the id of a bulk, 32 hex characters in lower case"}
	}
	account, err := client.account(ctx, c.Account)
	if err != nil {
		return err
	}
	path := bulksOf(account) + "/" + c.Cancel
	var bulk invitedBulk
	if _, err := client.do(ctx, apiRequest{method: http.MethodDelete, path: path}, &bulk); err != nil {
		return fmt.Errorf("the bulk was not canceled: %w", err)
	}
	if c.JSON {
		return c.results(ctx, client, path, s)
	}
	_, err = fmt.Fprintf(s.out, "%s: %s\n", bulk.Status, came(bulk.Counts, string(iam.BulkInvited), "invited"))
	return wrote(err)
}

// request reads the file.
func (c *inviteCommand) request(stdin io.Reader) (apiRequest, error) {
	path, kind := c.CSV, "text/csv"
	if path == "" {
		path, kind = c.JSONL, "application/x-ndjson"
	}
	if (c.CSV == "") == (c.JSONL == "") {
		return apiRequest{}, usageError{"whom? Name one file: --csv FILE or --jsonl FILE"}
	}
	from := stdin
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // it is the one that was asked for
		if err != nil {
			return apiRequest{}, err //nolint:wrapcheck // it names the operation and the file
		}
		defer func() { _ = file.Close() }() // it was only read
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxInvited+1))
	if err != nil {
		return apiRequest{}, fmt.Errorf("read %s: %w", path, err)
	}
	if len(text) > maxInvited {
		return apiRequest{}, fmt.Errorf("%s is longer than the %d bytes that a server takes; divide it", path, maxInvited)
	}
	return apiRequest{method: http.MethodPost, kind: kind, body: text}, nil
}

// key is the idempotency key: the same file to the same account is the same request.
func (c *inviteCommand) key(account string, request apiRequest) string {
	if c.Anew {
		return "invite-" + id.NewSource(clock.Now).New()
	}
	sum := sha256.New()
	for _, part := range [][]byte{[]byte(account), []byte(request.kind), request.body} {
		_, _ = sum.Write(append(part, 0)) // never fails
	}
	return "invite-" + hex.EncodeToString(sum.Sum(nil))
}

// account is the id of an account that is named by it or by its name.
func (c *apiClient) account(ctx context.Context, named string) (string, error) {
	if _, ok := iam.ParseID(named); ok {
		return named, nil
	}
	var found []struct{ ID string }
	_, err := c.do(ctx, apiRequest{method: http.MethodGet, path: "/accounts?name=" + url.QueryEscape(named)}, &found)
	switch {
	case err != nil:
		return "", fmt.Errorf("look for the account: %w", err)
	case len(found) == 0:
		return "", fmt.Errorf("there is no account %q, or it is not yours", named)
	case len(found) > 1:
		return "", fmt.Errorf("%d accounts have the name %q; give the id of one", len(found), named)
	}
	return found[0].ID, nil
}

// follow waits until a bulk ended, and shows how far it is: by a bar on a terminal,
// else by a line now and then.
func (c *apiClient) follow(ctx context.Context, path string, w io.Writer) (invitedBulk, error) {
	const linesEvery = 5 * time.Second
	bar := newProgress(w, "rows")
	defer bar.clear()
	said := clock.Now()
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		var bulk invitedBulk
		if _, err := c.do(ctx, apiRequest{method: http.MethodGet, path: path}, &bulk); err != nil {
			return bulk, err
		}
		if bulk.Status != string(iam.BulkRunning) {
			return bulk, nil
		}
		done := bulk.Rows - bulk.Counts[string(iam.BulkWaiting)]
		bar.show(done, bulk.Rows)
		if now := clock.Now(); bar.w == nil && now.Sub(said) >= linesEvery {
			said = now
			_, _ = fmt.Fprintf(w, "%d of %d rows\n", done, bulk.Rows)
		}
		if err := waitFor(ctx, pause); err != nil {
			return bulk, err
		}
	}
}

// results prints what became of rows: of all as JSON, else of those that are not as
// they were meant to be.
func (c *inviteCommand) results(ctx context.Context, client *apiClient, path string, s streams) error {
	answer, err := client.send(ctx, apiRequest{method: http.MethodGet, path: path + "/results?format=jsonl"})
	if err != nil {
		return fmt.Errorf("read the results: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	if c.JSON {
		_, err := io.Copy(s.out, answer.Body)
		return wrote(err)
	}
	var rows []invitedRow
	lines := bufio.NewReader(answer.Body)
	for {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return c.table(rows, s)
		}
		if err != nil {
			return fmt.Errorf("read the results: %w", err)
		}
		var row invitedRow
		if err := json.Unmarshal(line, &row); err != nil {
			return fmt.Errorf("read the results: %w", err)
		}
		rows = append(rows, row)
	}
}

// table prints the rows of which there is something to say.
func (c *inviteCommand) table(rows []invitedRow, s streams) error {
	var records []record
	for _, row := range rows {
		if row.Reason == nil && row.Outcome != string(iam.BulkNotSent) {
			continue
		}
		why, code := "", ""
		if row.Reason != nil {
			why, code = row.Reason.Message, strconv.Itoa(row.Reason.Code)
		}
		records = append(records, record{
			{"line", row.Line}, {"email", row.Email}, {"outcome", strings.ReplaceAll(row.Outcome, "_", " ")}, {"code", code}, {"why", why},
		})
	}
	if len(records) == 0 {
		return nil
	}
	return session{streams: s}.list(records, "line", "email", "outcome", "code", "why")
}

// preview prints what would become of each row.
func (c *inviteCommand) preview(ctx context.Context, client *apiClient, request apiRequest, s streams) error {
	request.path += "?dry_run=true"
	var preview struct {
		Counts  map[string]int
		Results []json.RawMessage
	}
	if _, err := client.do(ctx, request, &preview); err != nil {
		return err
	}
	rows := make([]invitedRow, len(preview.Results))
	for i, text := range preview.Results {
		if c.JSON {
			if _, err := fmt.Fprintf(s.out, "%s\n", text); err != nil {
				return wrote(err)
			}
		}
		if err := json.Unmarshal(text, &rows[i]); err != nil {
			return fmt.Errorf("read the answer: %w", err)
		}
	}
	if !c.JSON {
		if err := c.table(rows, s); err != nil {
			return err
		}
	}
	return c.sum(s, preview.Counts, string(iam.BulkWouldInvite), "would be invited")
}

// sum says how many rows came to what. Rows that were refused, or left out, make the
// command fail.
func (c *inviteCommand) sum(s streams, counts map[string]int, invited, verb string) error {
	text := came(counts, invited, verb)
	if counts[string(iam.BulkNotSent)] > 0 {
		text += "; --anew sends the file once more, for them"
	}
	if counts[string(iam.BulkRefused)]+counts[string(iam.BulkNotSent)] > 0 {
		return errors.New(text)
	}
	if c.JSON {
		return nil
	}
	_, err := fmt.Fprintln(s.out, text)
	return wrote(err)
}

// came says how many rows came to what.
func came(counts map[string]int, invited, verb string) string {
	text := fmt.Sprintf("%d %s, %d invited already, %d members already, %d refused", counts[invited], verb,
		counts[string(iam.BulkAlreadyInvited)], counts[string(iam.BulkAlreadyMember)], counts[string(iam.BulkRefused)])
	if n := counts[string(iam.BulkNotSent)]; n > 0 {
		text += fmt.Sprintf(", %d left out since the bulk was canceled", n)
	}
	return text
}
