//go:build linux

package fault_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// volume is an ext4 file system in a file, behind a loop device.
type volume struct {
	image, root string
}

func newVolume(t testing.TB) volume {
	t.Helper()
	image := filepath.Join(t.TempDir(), "disk.img")
	if err := run("mkfs.ext4", "-q", "-F", "-b", "4096", image, "32M"); err != nil {
		t.Fatal(err)
	}
	return openVolume(t, image)
}

func openVolume(t testing.TB, image string) volume {
	t.Helper()
	v := volume{image: image, root: mount(t, "-o", "loop", image)}
	return v
}

// mount mounts on a new folder until the test ends.
func mount(t testing.TB, args ...string) string {
	t.Helper()
	folder := t.TempDir()
	if err := run("mount", append(args, folder)...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run("umount", folder); err != nil {
			t.Error(err)
			_ = unix.Unmount(folder, unix.MNT_DETACH) // or the folder could not be removed
		}
	})
	return folder
}

// cut takes the power away and returns what is on the disk then: another
// image, mounted, its journal replayed. Of the volume nothing can be read or
// written any more.
//
// What must not come along is what only the kernel's memory holds of the
// mounted file system: pages written to files, and its own journal, that
// nobody has sent to the block device yet. All that the device was sent is in
// the image *file*, read the ordinary way: a loop device writes through the
// page cache of the file system where that file is (with direct I/O past it,
// which a read sees too), so it does not matter whether that one has put it on
// the disk of this machine. Hence the copy is read, never fsync'd or synced,
// and the volume is not unmounted, frozen or synced before.
//
// But the kernel would go on writing back while the copy is read, and an image
// torn between two moments is none that a power cut leaves. So the file system
// is shut down first, without flushing its log: from then on it sends nothing.
//
// This is a disk whose own cache survives: a write counts from when the device
// has it. That a commit waits for the device to *flush* too is the kernel's
// doing once fsync is called, and is not shown here.
func (v volume) cut(t testing.TB) volume {
	t.Helper()
	root, err := os.Open(v.root)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	const (
		shutdown   = 0x8004587d // EXT4_IOC_SHUTDOWN
		noLogFlush = 2
	)
	if err := unix.IoctlSetPointerInt(int(root.Fd()), shutdown, noLogFlush); err != nil {
		t.Fatalf("shut %s down: %v", v.root, err)
	}
	content, err := os.ReadFile(v.image)
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(t.TempDir(), "after.img")
	if err := os.WriteFile(image, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return openVolume(t, image)
}
