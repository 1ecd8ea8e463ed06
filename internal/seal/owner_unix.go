//go:build unix

package seal

import (
	"io/fs"
	"os"
	"syscall"
)

// exposed is the mode of a file that others may read or change, 0 of one that
// they may not.
func exposed(info fs.FileInfo) fs.FileMode {
	const others = 0o077
	if mode := info.Mode().Perm(); mode&others != 0 {
		return mode
	}
	return 0
}

// keepOwner gives a file the owner of the one that it is to replace: root may
// change the keyring of the server's user, who still has to read it.
func keepOwner(file *os.File, before fs.FileInfo) error {
	owner, ok := before.Sys().(*syscall.Stat_t)
	if !ok || int(owner.Uid) == os.Geteuid() {
		return nil
	}
	return file.Chown(int(owner.Uid), int(owner.Gid)) //nolint:wrapcheck // the caller says what it was doing
}
