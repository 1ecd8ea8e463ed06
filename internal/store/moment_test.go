package store

import (
	"context"
	"testing"

	"hither/internal/iam"
)

// writeUser adds a user of that first name, or gives it another one.
func writeUser(t *testing.T, ctx context.Context, s *Store, firstName string) { //nolint:revive // the test's own context is not meant
	t.Helper()
	ids := newIDs()
	user := iam.User{ID: "0123456789abcdef0123456789abcdef", Email: "ada@example.com", FirstName: firstName}
	entry := iam.Actor{Kind: iam.ByCommandLine}.Entry(ids.New(), iam.UserEdit, "", user.ID)
	err := s.Update(ctx, func(tx iam.Tx) error {
		if _, err := tx.UserFacts(user.ID); err == nil {
			return tx.UpdateUser(user, entry)
		}
		return tx.InsertUser(user, entry)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func firstName(t *testing.T, ctx context.Context, s *Store) string { //nolint:revive // as above
	t.Helper()
	user, err := s.UserByEmail(ctx, "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	return user.FirstName
}

func TestReadsOfAMomentSeeItAlone(t *testing.T) {
	t.Parallel()
	s := open(t, folder(t, file(t)), Options{})
	writeUser(t, t.Context(), s, "Ada")
	ctx, end := s.Moment(t.Context())
	if got := firstName(t, ctx, s); got != "Ada" {
		t.Fatalf("got %q", got)
	}
	writeUser(t, t.Context(), s, "Grace")
	if got := firstName(t, ctx, s); got != "Ada" {
		t.Errorf("the same moment shows %q, want what it showed before", got)
	}
	if page, err := s.Users(ctx, iam.PageRequest{Number: 1, Size: 5}); err != nil || page.Items[0].FirstName != "Ada" {
		t.Errorf("a list of the same moment shows %v, %v", page.Items, err)
	}
	if got := firstName(t, t.Context(), s); got != "Grace" {
		t.Errorf("whoever reads outside of it sees %q", got)
	}
	end()
	if got := firstName(t, ctx, s); got != "Grace" {
		t.Errorf("after its end the context shows %q", got)
	}
}

// A moment holds a connection that others wait for: not before its first read,
// not after its end, and not while its request waits for a commit.
func TestMomentsLetConnectionsGo(t *testing.T) {
	t.Parallel()
	s := open(t, folder(t, file(t)), Options{})
	writeUser(t, t.Context(), s, "Ada")
	free := func(when string, want int) {
		t.Helper()
		if got := len(s.readers.free); got != want {
			t.Errorf("%s %d connections are free, want %d", when, got, want)
		}
	}
	all := cap(s.readers.free)
	ctx, end := s.Moment(t.Context())
	free("before the first read", all)
	firstName(t, ctx, s)
	free("after the first read", all-1)
	firstName(t, ctx, s)
	free("after the second read", all-1)
	err := s.Update(ctx, func(iam.Tx) error { free("in a transaction", all); return nil })
	if err != nil {
		t.Fatal(err)
	}
	writeUser(t, ctx, s, "Grace")
	if got := firstName(t, ctx, s); got != "Grace" {
		t.Errorf("after its own write the context shows %q", got)
	}
	end()
	free("at the end", all)

	ctx, end = s.Moment(t.Context())
	if _, err := s.UserByEmail(ctx, "nobody@example.com"); err == nil {
		t.Error("nobody was found")
	}
	end()
	free("after a read that found nothing", all)
	if got := firstName(t, t.Context(), s); got != "Grace" {
		t.Errorf("the connection shows %q", got)
	}
}
