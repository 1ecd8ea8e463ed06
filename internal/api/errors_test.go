package api

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"testing"
	"time"

	"hither/internal/auth"
	"hither/internal/iam"
)

// TestEveryKindHasItsCode reads the kinds from the source of iam, so that a new
// one without a row here fails.
func TestEveryKindHasItsCode(t *testing.T) {
	t.Parallel()
	want := map[string]struct {
		kind         iam.Kind
		status, code int
	}{
		"Internal":           {iam.Internal, 500, 10500},
		"Invalid":            {iam.Invalid, 400, 1001},
		"NotFound":           {iam.NotFound, 404, 1003},
		"AccountNotFound":    {iam.AccountNotFound, 404, 7003},
		"Forbidden":          {iam.Forbidden, 403, 9109},
		"InviteExpired":      {iam.InviteExpired, 400, 1200},
		"AlreadyAnswered":    {iam.AlreadyAnswered, 400, 1201},
		"TwoFactorRequired":  {iam.TwoFactorRequired, 403, 1203},
		"NoSeat":             {iam.NoSeat, 400, 1204},
		"GrantorLost":        {iam.GrantorLost, 400, 1205},
		"AlreadyMember":      {iam.AlreadyMember, 400, 1207},
		"AlreadyInvited":     {iam.AlreadyInvited, 400, 1208},
		"RoleCeiling":        {iam.RoleCeiling, 403, 1209},
		"LastSuperAdmin":     {iam.LastSuperAdmin, 400, 1210},
		"DomainRefused":      {iam.DomainRefused, 400, 1211},
		"BudgetSpent":        {iam.BudgetSpent, 429, 1212},
		"KeyReused":          {iam.KeyReused, 400, 1213},
		"AccountSuspended":   {iam.AccountSuspended, 403, 1214},
		"DirectAddForbidden": {iam.DirectAddForbidden, 400, 1001},
		"Conflict":           {iam.Conflict, 503, 10503},
		"Unavailable":        {iam.Unavailable, 503, 10503},
		"InviteWithdrawn":    {iam.InviteWithdrawn, 400, 1202},
		"LinkReplaced":       {iam.LinkReplaced, 400, 1202},
		"WrongAddress":       {iam.WrongAddress, 403, 1206},
		"SignInFirst":        {iam.SignInFirst, 403, 9109},
		"SignInAgain":        {iam.SignInAgain, 403, 9109},
		"ProofRefused":       {iam.ProofRefused, 403, 9109},
		"IdentityUnlinked":   {iam.IdentityUnlinked, 403, 9109},
		"TooManyAttempts":    {iam.TooManyAttempts, 429, 10429},
		"FactorFirst":        {iam.FactorFirst, 403, 9109},
		"InviteCanceled":     {iam.InviteCanceled, 404, 1003},
	}
	names := kinds(t)
	if len(names) != len(want) {
		t.Errorf("iam has %d kinds, %v; the table has %d", len(names), names, len(want))
	}
	for i, name := range names {
		row, ok := want[name]
		if !ok {
			t.Errorf("iam.%s has no row in the table of the wire", name)
			continue
		}
		if int(row.kind) != i {
			t.Errorf("iam.%s is kind %d; the source has it at %d", name, row.kind, i)
		}
		if status, code := statusAndCode(row.kind); status != row.status || code != row.code {
			t.Errorf("iam.%s: got %d with %d, want %d with %d", name, status, code, row.status, row.code)
		}
	}
}

// kinds lists the constants of type iam.Kind in their order.
func kinds(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "../iam/errors.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, decl := range file.Decls {
		block, ok := decl.(*ast.GenDecl)
		if !ok || block.Tok != token.CONST {
			continue
		}
		first := block.Specs[0].(*ast.ValueSpec)
		if kind, ok := first.Type.(*ast.Ident); !ok || kind.Name != "Kind" {
			continue
		}
		for _, spec := range block.Specs {
			names = append(names, spec.(*ast.ValueSpec).Names[0].Name)
		}
	}
	return names
}

func TestFailureOf(t *testing.T) {
	t.Parallel()
	secret := errors.New("dial tcp 10.0.0.7: password authentication failed")
	tests := []struct {
		name         string
		err          error
		status, code int
		message      string
		pointer      string
	}{
		{"a refusal keeps its words and its field", &iam.Error{Kind: iam.Invalid, Field: "/roles/1", Message: "role \"x\" does not exist"}, 400, 1001, "role \"x\" does not exist", "/roles/1"},
		{"wrapped", fmt.Errorf("answer: %w", &iam.Error{Kind: iam.InviteExpired, Message: "expired"}), 400, 1200, "expired", ""},
		{"no account", &iam.Error{Kind: iam.AccountNotFound, Message: "no such account"}, 404, 7003, "Could not route to /client/v4/accounts/x, perhaps your object identifier is invalid?", ""},
		{"not found", &iam.Error{Kind: iam.NotFound, Message: "role not found"}, 404, 1003, "There is no such object, or it is not yours", ""},
		{"forbidden", &iam.Error{Kind: iam.Forbidden, Message: "this belongs to the operator"}, 403, 9109, "Unauthorized to access requested resource: this belongs to the operator", ""},
		{"direct add", &iam.Error{Kind: iam.DirectAddForbidden, Message: "Invalid request: automatic verification of new members is not allowed"}, 400, 1001, "Invalid request: automatic verification of new members is not allowed", ""},
		{"the store's error", fmt.Errorf("read: %w", secret), 500, 10500, broken(nil).notice.Message, ""},
		{"an internal refusal", &iam.Error{Kind: iam.Internal, Message: "boom", Err: secret}, 500, 10500, broken(nil).notice.Message, ""},
		{"a row that vanished between two reads", iam.ErrNoRow, 500, 10500, broken(nil).notice.Message, ""},
		{"conflict", &iam.Error{Kind: iam.Conflict, Message: "changed", Err: iam.ErrStale}, 503, 10503, unavailable(nil).notice.Message, ""},
		{"full", &iam.Error{Kind: iam.Unavailable, Message: "queue is full", Err: secret}, 503, 10503, unavailable(nil).notice.Message, ""},
		{"canceled", fmt.Errorf("wait: %w", context.Canceled), 503, 10503, undecided(nil).notice.Message, ""},
		{"too late", context.DeadlineExceeded, 503, 10503, undecided(nil).notice.Message, ""},
		{"in doubt", &iam.Error{Kind: iam.Unavailable, Undecided: true}, 503, 10503, undecided(nil).notice.Message, ""},
		{"a budget", &iam.Error{Kind: iam.BudgetSpent, Message: "spent", RetryAfter: time.Hour}, 429, 1212, "spent", ""},
		{"no credentials", &auth.Error{Fault: auth.Missing}, 400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers", ""},
		{"malformed credentials", &auth.Error{Fault: auth.Malformed, Headers: []string{auth.KeyHeader}}, 400, 6003, "Invalid request headers", ""},
		{"two users", &auth.Error{Fault: auth.Mixed}, 400, 6003, "Invalid request headers", ""},
		{"unknown pair", &auth.Error{Fault: auth.UnknownPair, Reason: "disabled"}, 403, 9103, "Unknown X-Auth-Key or X-Auth-Email", ""},
		{"bad token", &auth.Error{Fault: auth.InvalidToken, Reason: "revoked"}, 401, 1000, "Invalid API Token", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := failureOf(test.err, "/client/v4/accounts/x")
			pointer := ""
			if f.notice.Source != nil {
				pointer = f.notice.Source.Pointer
			}
			if f.status != test.status || f.notice.Code != test.code || f.notice.Message != test.message || pointer != test.pointer {
				t.Errorf("%v:\n got %d, %d %q at %q\nwant %d, %d %q at %q", test.err,
					f.status, f.notice.Code, f.notice.Message, pointer, test.status, test.code, test.message, test.pointer)
			}
			spent := f.notice.Code == 1212
			if retries := f.retryAfter > 0; retries != (f.status == http.StatusServiceUnavailable || spent) {
				t.Errorf("%v: retry after %d with status %d", test.err, f.retryAfter, f.status)
			}
			if f.status >= 500 && !errors.Is(f.cause, test.err) {
				t.Errorf("%v: the log gets %v", test.err, f.cause)
			}
			// Clients retry these by themselves; a refusal would be sent again and again,
			// were they not told otherwise.
			if f.status == http.StatusRequestTimeout || f.status == http.StatusConflict || f.status == http.StatusTooManyRequests && !f.noRetry {
				t.Errorf("%v: status %d is retried by clients", test.err, f.status)
			}
		})
	}
}
