package store

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/store/storetest"
)

// TestConformance runs the suite, and holds what SQLite makes of the statements
// that it led to: none walks a table that grows, and a page of a list sorts
// nothing but what it shows.
//
//nolint:tparallel // the suite has to be through before its statements are looked at
func TestConformance(t *testing.T) {
	t.Parallel()
	statements := &statements{texts: map[string]bool{}}
	t.Run("suite", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T, now func() time.Time) iam.Store {
			t.Helper()
			s := openPlain(t, now)
			t.Cleanup(func() { statements.learn(s) })
			return s
		})
	})
	statements.check(t)
}

func openPlain(t *testing.T, now func() time.Time) *Store {
	t.Helper()
	s, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "hither.db"), Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// statements are the texts that stores prepared.
type statements struct {
	mu    sync.Mutex
	texts map[string]bool
}

// learn takes up the statements of a store that nobody uses any more.
func (s *statements) learn(store *Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	learn := func(session connection) {
		for text := range session.(*nativeSession).prepared {
			s.texts[text] = true
		}
	}
	// The writer's connection is its own goroutine's, and forgets all when it closes.
	err := store.Update(context.Background(), func(iam.Tx) error { learn(store.writer.(*writer).session); return nil })
	if err != nil {
		panic(err)
	}
	for range cap(store.readers.free) {
		session := <-store.readers.free
		learn(session)
		defer store.readers.give(session)
	}
}

func (s *statements) check(t *testing.T) {
	t.Helper()
	session := openFresh(t)
	explained := 0
	for _, text := range slices.Sorted(maps.Keys(s.texts)) {
		verb, _, _ := strings.Cut(strings.TrimSpace(text), " ")
		if !slices.Contains([]string{"SELECT", "INSERT", "UPDATE", "DELETE"}, verb) {
			continue
		}
		explained++
		plan := explain(t, session, text)
		for i, step := range plan {
			if complaint := complain(text, plan[i+1:], step); complaint != "" {
				t.Errorf("%s: %s\n%s\n\t%s", complaint, step, text, strings.Join(plan, "\n\t"))
			}
		}
	}
	if explained == 0 {
		t.Error("the suite made no statement")
	}
}

// openFresh is a connection to an empty database.
func openFresh(t *testing.T) connection {
	t.Helper()
	s, err := OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "plans.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	session, err := s.readers.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.readers.give(session)
		_ = s.Close()
	})
	return session
}

func explain(t *testing.T, session session, statement string) []string {
	t.Helper()
	var plan []string
	var args []any
	for strings.Contains(statement, fmt.Sprintf("$%d", len(args)+1)) {
		args = append(args, nil)
	}
	err := session.query("EXPLAIN QUERY PLAN "+statement, args, func(r row) error {
		var (
			id, parent, unused number
			detail             string
		)
		if err := r.Scan(&id, &parent, &unused, (*text)(&detail)); err != nil {
			return fmt.Errorf("scan plan: %w", err)
		}
		plan = append(plan, detail)
		return nil
	})
	if err != nil {
		t.Errorf("explain %s: %v", statement, err)
	}
	return plan
}

// complain says what is wrong with a step of a plan; after are those behind it.
func complain(text string, after []string, step string) string {
	switch {
	case strings.HasPrefix(step, "SCAN "):
		table := strings.Fields(step)[1]
		small := []string{"i", "instance", "r"}                        // one row; roles, of which there are few
		derived := []string{"ids", "mine", "others", "page", "l", "o"} // what a statement made itself
		listed := []string{"u", "a", "d", "w", "e"}                    // the operator's own lists, in the order of an index
		switch {
		case strings.HasSuffix(step, "VALUES CLAUSE"), step == "SCAN CONSTANT ROW": // of no table
			return ""
		case slices.Contains(small, table) || slices.Contains(derived, table):
			return ""
		case slices.Contains(listed, table) && strings.Contains(text, "LIMIT"):
			return ""
		case strings.Contains(text, "m.roles LIKE"), strings.Contains(text, "/* of one person */"), strings.Contains(text, "/* of all accounts */"): // RoleHolders, erase.go, funnel.go: see there
			return ""
		}
		return "it walks a whole table"
	case strings.HasPrefix(step, "USE TEMP B-TREE") && slices.ContainsFunc(after, func(s string) bool { return s == "SCAN page" }):
		// Sorting to find the page, not the page: only what is due (few rows),
		// a user's own accounts, and audit rows that are named by their ids.
		if strings.Contains(text, "m.expires_on <=") || strings.Contains(text, "m.user_id = $1") || strings.Contains(text, "(e.operation_id =") {
			return ""
		}
		return "it sorts a whole list for a page"
	case strings.HasSuffix(step, "(account_id=?)") && strings.Contains(step, " m USING"):
		if strings.Contains(step, "_name ") || strings.Contains(step, "memberships_super") || strings.Contains(text, "GROUP BY") ||
			strings.Contains(step, "webhooks_") { // of which an account has ten at most
			return ""
		}
		return "it walks all rows of an account"
	}
	return ""
}
