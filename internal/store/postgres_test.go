package store

import (
	"testing"
	"time"

	"hither/internal/iam"
	"hither/internal/store/storetest"
	"hither/test/postgres"
)

func openPostgres(t *testing.T, url string, options Options) *Store {
	t.Helper()
	s, err := OpenPostgres(t.Context(), url, options)
	if err != nil {
		t.Fatalf("OpenPostgres: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func openPostgresPlain(t *testing.T, now func() time.Time) iam.Store {
	t.Helper()
	return openPostgres(t, postgres.Database(t), Options{Now: now})
}

func TestConformanceOnPostgres(t *testing.T) {
	t.Parallel()
	storetest.Run(t, openPostgresPlain)
}

func TestConformanceOfClosuresRunTwiceOnPostgres(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, now func() time.Time) iam.Store {
		t.Helper()
		return storetest.Twice(openPostgresPlain(t, now))
	})
}

func TestModelOnPostgres(t *testing.T) {
	t.Parallel()
	storetest.RunModel(t, func(t *testing.T, now func() time.Time) iam.Store {
		t.Helper()
		return storetest.Twice(openPostgresPlain(t, now))
	})
}
