package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// vacant makes sure that nothing has a name yet.
func vacant(path string) error {
	_, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err == nil:
		return taken(path)
	default:
		return fmt.Errorf("look for a file of that name: %w", err)
	}
}

func taken(path string) error {
	return fmt.Errorf("%s exists, and a backup overwrites nothing; give another name, or move that file away", path)
}

// partialFile makes an empty file beside target, readable by its owner alone.
// Its name tells who finds it after a crash what it was to become.
func partialFile(target string) (string, error) {
	file, err := os.CreateTemp(filepath.Dir(target), "."+filepath.Base(target)+".*.partial")
	if err != nil {
		return "", fmt.Errorf("make a file for the copy: %w", err)
	}
	return file.Name(), file.Close()
}

// syncFile waits until a file, or the names in a folder, would survive a power
// cut.
func syncFile(path string) error {
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return fmt.Errorf("flush the copy: %w", err)
	}
	if err := errors.Join(file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("flush the copy: %w", err)
	}
	return nil
}

// place gives a finished file its name. A link refuses where the name came to
// be taken meanwhile, which a rename would not; but not every file system has
// links.
func place(partial, target string, link func(from, to string) error) error {
	err := link(partial, target)
	if err == nil {
		return nil // who called removes the other name
	}
	if errors.Is(err, fs.ErrExist) {
		return taken(target)
	}
	if err := vacant(target); err != nil {
		return err
	}
	if err := os.Rename(partial, target); err != nil {
		return fmt.Errorf("give the copy its name: %w", err)
	}
	return nil
}
