//go:build !unix

package seal

import (
	"io/fs"
	"os"
)

// exposed says nothing: modes are not how this system tells who may read a file.
func exposed(fs.FileInfo) fs.FileMode { return 0 }

// keepOwner leaves it to the folder, from which a new file has its rights.
func keepOwner(*os.File, fs.FileInfo) error { return nil }
