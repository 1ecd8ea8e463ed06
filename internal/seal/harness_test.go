package seal_test

import (
	"path/filepath"
	"testing"
	"time"

	"hither/internal/seal"
)

// newFile is the path of a keyring of one key.
func newFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if _, err := seal.Create(path, time.Now()); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, path string) seal.Keyring {
	t.Helper()
	ring, err := seal.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}
