package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// maxFile is far more than a keyring with comments has.
const maxFile = 64 << 10

// Load reads the keyring of a file, which nobody but its owner may be able to
// read. The error of a file that is not there is an fs.ErrNotExist.
func Load(path string) (Keyring, error) {
	ring, _, err := load(path)
	if err != nil {
		return Keyring{}, fmt.Errorf("keyring %s: %w", path, err)
	}
	return ring, nil
}

// load also tells which state of the file it was that was read.
func load(path string) (Keyring, fs.FileInfo, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // opening a pipe would wait
		return Keyring{}, nil, errors.New("this is no file; name the file of the keyring, or move aside what is there")
	}
	file, err := os.Open(path) //nolint:gosec // the operator names the file
	if err != nil {
		return Keyring{}, nil, cause(err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return Keyring{}, nil, cause(err)
	}
	if mode := exposed(info); mode != 0 {
		return Keyring{}, nil, fmt.Errorf("its mode is %04o: others may read or change it; chmod 600 it, and if somebody may have "+
			"read it, `hither keyring rotate` and drop the keys that are in it now", mode)
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return Keyring{}, nil, cause(err)
	}
	ring, err := parseFile(string(text))
	return ring, info, err
}

// parseFile reads a keyring as it was written, and knows one that was not written
// to its end.
func parseFile(text string) (Keyring, error) {
	const back = "put back the copy that was kept"
	switch {
	case text == "":
		return Keyring{}, errors.New("it is empty; " + back + ", or, where nothing was ever sent or sealed with it, remove it")
	case len(text) > maxFile:
		return Keyring{}, fmt.Errorf("it has more than %d bytes, so it is no keyring", maxFile)
	case !strings.HasSuffix(text, "\n"):
		return Keyring{}, errors.New("its last line has no end: it was cut short; " + back)
	}
	return ParseKeyring(text)
}

// Create makes a keyring of one key, unless there is one. Of any number of
// processes that do so at once one makes it, and all return the same.
func Create(path string, now time.Time) (Keyring, error) {
	return create(path, now, os.Link)
}

// create takes the call that gives a finished file its name, and refuses where
// the name came to be taken meanwhile. A rename would not; but not every file
// system has links.
func create(path string, now time.Time, link func(from, to string) error) (Keyring, error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return Load(path) // a link that leads nowhere too: what it stands for is to come
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.partial") // of mode 0600
	if err != nil {
		return Keyring{}, fmt.Errorf("make the keyring %s: %w", path, cause(err))
	}
	partial := file.Name()
	defer func() { _ = os.Remove(partial) }() // after a rename there is none
	if err := fill(file, NewKeyring(now)); err != nil {
		return Keyring{}, fmt.Errorf("make the keyring %s: %w", path, err)
	}
	err = link(partial, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		if _, err = os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			err = os.Rename(partial, path)
		}
		if err != nil {
			return Keyring{}, fmt.Errorf("make the keyring %s: %w", path, cause(err))
		}
	}
	if err := syncFolder(path); err != nil {
		return Keyring{}, fmt.Errorf("make the keyring %s: %w", path, err)
	}
	return Load(path)
}

// fill writes a keyring to a file that is not in place yet, flushes it to the disk
// and closes it.
func fill(file *os.File, ring Keyring) error {
	_, err := io.Copy(file, strings.NewReader(ring.text()))
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncFolder waits until the name of a file would survive a power cut.
func syncFolder(path string) error {
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("flush the folder of the keyring: %w", err)
	}
	if err := errors.Join(folder.Sync(), folder.Close()); err != nil {
		return fmt.Errorf("flush the folder of the keyring: %w", err)
	}
	return nil
}

// cause is an error of a file without the file's name, where the sentence has it
// already.
func cause(err error) error {
	if failure, ok := errors.AsType[*fs.PathError](err); ok {
		return failure.Err
	}
	return err
}
