package main

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestRemoteFileSystems(t *testing.T) {
	t.Parallel()
	for magic, want := range map[uint32]string{
		unix.NFS_SUPER_MAGIC: "NFS", unix.CIFS_SUPER_MAGIC: "CIFS", unix.SMB2_SUPER_MAGIC: "CIFS", unix.SMB_SUPER_MAGIC: "CIFS",
		unix.V9FS_MAGIC: "9P", unix.CEPH_SUPER_MAGIC: "CephFS",
		unix.EXT4_SUPER_MAGIC: "", unix.TMPFS_MAGIC: "", unix.OVERLAYFS_SUPER_MAGIC: "", unix.XFS_SUPER_MAGIC: "", unix.BTRFS_SUPER_MAGIC: "",
	} {
		if got := remote(magic); got != want {
			t.Errorf("remote(%#x): got %q, want %q", magic, got, want)
		}
	}
	if found, err := lookAtDisk(t.TempDir()); err != nil || found.free <= 0 {
		t.Errorf("the disk of the tests: got %+v, %v, want free space", found, err)
	}
	if _, err := lookAtDisk("/none/such"); err == nil {
		t.Error("a folder that is not there has a disk")
	}
}
