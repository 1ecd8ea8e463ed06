package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// disk is what the system tells of the file system below a folder.
type disk struct {
	free   int64
	remote string // the name of a network file system, "" where it is none that is known
}

// lookAtDisk asks for the file system below a folder.
func lookAtDisk(folder string) (disk, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(folder, &stat); err != nil {
		return disk{}, fmt.Errorf("ask for the file system of %s: %w", folder, err)
	}
	//nolint:gosec // no disk has 2^63 bytes
	return disk{free: int64(stat.Bavail) * stat.Bsize, remote: remote(uint32(stat.Type))}, nil
}

// remote names the file systems on which the locks and the shared memory of
// SQLite's log do not work between machines, if at all.
func remote(magic uint32) string {
	const afs, gpfs, lustre = 0x6b414653, 0x47504653, 0x0bd00bd0
	switch magic {
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case unix.CIFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "CIFS"
	case unix.V9FS_MAGIC:
		return "9P"
	case unix.AFS_SUPER_MAGIC, afs:
		return "AFS"
	case unix.CEPH_SUPER_MAGIC:
		return "CephFS"
	case unix.CODA_SUPER_MAGIC:
		return "Coda"
	case unix.NCP_SUPER_MAGIC:
		return "NCP"
	case gpfs:
		return "GPFS"
	case lustre:
		return "Lustre"
	}
	return ""
}

// allowed reports whether this user may read and write a file or folder,
// without opening it.
func allowed(path string) error {
	if err := unix.Access(path, unix.R_OK|unix.W_OK); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
