package seal

import (
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
)

// File is a keyring in a file that others may change meanwhile: `hither keyring`
// does so beside a running server. It is safe for concurrent use.
type File struct {
	path   string
	logger *slog.Logger

	mu   sync.Mutex
	ring Keyring     // the last one that was whole
	seen fs.FileInfo // what was read last, or tried; nil where nothing is there
}

// OpenFile reads the keyring of a file and keeps up with it.
func OpenFile(path string, logger *slog.Logger) (*File, error) {
	ring, info, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", path, err)
	}
	return &File{path: path, logger: logger, ring: ring, seen: info}, nil
}

// Keyring is the keyring as it is now. Each call asks for the file's time, which
// takes two microseconds: a rotation is in force at the very next call, in every
// process. While the file is broken or away it is the last one that was whole,
// and the log says so once. Whoever needs several answers that agree asks once.
func (f *File) Keyring() Keyring {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	if err != nil {
		info = nil
	}
	if same(f.seen, info) {
		return f.ring
	}
	ring, read, err := load(f.path)
	if err != nil {
		f.seen = info
		f.logger.Error("the keyring can't be read any more; the one from before goes on", "file", f.path, "error", err)
		return f.ring
	}
	f.ring, f.seen = ring, read
	f.logger.Info("the keyring was read anew", "keyring", ring)
	return f.ring
}

// same reports whether nothing was done to a file between two looks at it.
func same(a, b fs.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.ModTime().Equal(b.ModTime()) && a.Size() == b.Size() && a.Mode() == b.Mode()
}
