package store_test

import (
	"path/filepath"
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/store"
	"hither/internal/store/storetest"
)

// openSQLite opens a fresh store that is closed with the test.
func openSQLite(t *testing.T, now func() time.Time) iam.Store {
	t.Helper()
	return openFile(t, filepath.Join(t.TempDir(), "hither.db"), store.Options{Now: now})
}

func openFile(t testing.TB, path string, options store.Options) *store.Store {
	t.Helper()
	s, err := store.OpenSQLite(t.Context(), path, options)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func TestConformanceOfClosuresRunTwice(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, now func() time.Time) iam.Store {
		t.Helper()
		return storetest.Twice(openSQLite(t, now))
	})
}

func TestModel(t *testing.T) {
	t.Parallel()
	storetest.RunModel(t, func(t *testing.T, now func() time.Time) iam.Store {
		t.Helper()
		return storetest.Twice(openSQLite(t, now))
	})
}
