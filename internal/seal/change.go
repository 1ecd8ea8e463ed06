package seal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Rotate draws a key and makes it the current one. The others stay.
func Rotate(path string, now time.Time) (Keyring, error) {
	return change(path, os.Rename, func(old Keyring) (Keyring, error) {
		if len(old.keys) == maxKeys {
			return Keyring{}, fmt.Errorf("it has %d keys, the most there may be; drop the oldest first", maxKeys)
		}
		return Keyring{keys: append(old.keys, drawKey(now))}, nil
	})
}

// Drop takes a key off. What it made no longer opens.
func Drop(path, id string) (Keyring, error) {
	return change(path, os.Rename, func(old Keyring) (Keyring, error) {
		switch {
		case old.find(id) == nil:
			return Keyring{}, fmt.Errorf("there is no key %q on it; `hither keyring show` lists all", id)
		case old.current().ID == id:
			return Keyring{}, fmt.Errorf("the key %s is the current one; `hither keyring rotate` makes another that", id)
		}
		var rest Keyring
		for _, k := range old.keys {
			if k.ID != id {
				rest.keys = append(rest.keys, k)
			}
		}
		return rest, nil
	})
}

// change replaces a keyring by what is made of it. What is to become the new file
// is the lock too: one who finds it there changes nothing, so nothing that two
// wrote at once is lost. A crash leaves the old keyring or the new one.
func change(path string, rename func(from, to string) error, edit func(Keyring) (Keyring, error)) (Keyring, error) {
	ring, err := replace(path, rename, edit)
	if err != nil {
		return Keyring{}, fmt.Errorf("keyring %s: %w", path, err)
	}
	return ring, nil
}

func replace(path string, rename func(from, to string) error, edit func(Keyring) (Keyring, error)) (Keyring, error) {
	// Where the name is a symbolic link, the file changes and not the name.
	file, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Keyring{}, cause(err)
	}
	lock := file + ".lock"
	next, err := os.OpenFile(lock, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator names the file
	if errors.Is(err, fs.ErrExist) {
		return Keyring{}, fmt.Errorf("%s is there: another command is changing the keyring, or one was killed; if none runs, remove that file", lock)
	}
	if err != nil {
		return Keyring{}, fmt.Errorf("nothing was changed: %w", err)
	}
	ring, err := rewrite(file, next, edit)
	if err == nil {
		err = cause(rename(lock, file))
	}
	if err != nil {
		_ = os.Remove(lock)
		return Keyring{}, fmt.Errorf("nothing was changed: %w", err)
	}
	return ring, syncFolder(file)
}

// rewrite writes to next what is made of the keyring in file.
func rewrite(file string, next *os.File, edit func(Keyring) (Keyring, error)) (Keyring, error) {
	old, info, err := load(file)
	if err != nil {
		return Keyring{}, errors.Join(err, next.Close())
	}
	ring, err := edit(old)
	if err == nil {
		err = cause(keepOwner(next, info))
	}
	if err != nil {
		return Keyring{}, errors.Join(err, next.Close())
	}
	return ring, fill(next, ring)
}
