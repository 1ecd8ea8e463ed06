package postgres

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// PostgreSQL refuses to run as root: where the test does, the server gets the
// user that its package made, or else nobody.

func unprivileged() (uid, gid int, needed bool) {
	if os.Geteuid() != 0 {
		return 0, 0, false
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil {
			return uid, gid, true
		}
	}
	return 0, 0, false
}

func asUser() *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Setpgid: true} // ^C is for the test
	if uid, gid, needed := unprivileged(); needed {
		attributes.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return attributes
}

// own gives a file to the server's user.
func own(path string) error {
	if uid, gid, needed := unprivileged(); needed {
		if err := os.Chown(path, uid, gid); err != nil {
			return fmt.Errorf("set up PostgreSQL: %w", err)
		}
	}
	return nil
}
