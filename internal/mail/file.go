package mail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Folder writes each message to a file of its own, NAME.eml, for a program
// that sends it or a person who reads it.
type Folder struct{ path string }

// NewFolder takes an existing folder.
func NewFolder(path string) (*Folder, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the folder for messages: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("the folder for messages: %s is no folder", path)
	}
	return &Folder{path}, nil
}

// Send writes the file under another name first, so that who watches the
// folder never reads half of it. The same message again is the same file.
func (f *Folder) Send(_ context.Context, m Message) (err error) {
	// The rest of the name keeps two deliveries apart whose ids differ in case
	// alone, on file systems that do not.
	digest := sha256.Sum256([]byte(m.ID))
	id, _, _ := strings.Cut(m.ID, "@")
	name := filepath.Join(f.path, id+"-"+hex.EncodeToString(digest[:4])+".eml")
	file, err := os.CreateTemp(f.path, ".hither-*") // 0600
	if err != nil {
		return &Failure{Words: Words("writing the message: "+err.Error(), ""), cause: err}
	}
	_, err = file.Write(m.MIME)
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err == nil {
		err = syncFolder(f.path)
	}
	if err != nil {
		_ = os.Remove(file.Name()) // what is left of it
		return &Failure{Words: Words("writing the message: "+err.Error(), ""), cause: err}
	}
	return nil
}

// syncFolder makes a new name last: who was told that a message left does not
// send it again.
func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // the operator names it
	if err != nil {
		return fmt.Errorf("open the folder: %w", err)
	}
	defer func() { _ = folder.Close() }()
	if err := folder.Sync(); err != nil {
		return fmt.Errorf("sync the folder: %w", err)
	}
	return nil
}

// Close has nothing to give back.
func (*Folder) Close() error { return nil }
