package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hither/internal/store"
)

// database makes the checks that know the engine. It tells what is in the
// database, if that can be read.
func (d *doctor) database(ctx context.Context) (facts store.Inspection, readable bool) {
	if d.settings.Database != "" {
		return d.postgres(ctx)
	}
	path := d.settings.Data
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.failf("database", "say where it is with --data (HITHER_DATA), or make one: hither init", "there is none at %s", path)
		d.folder(filepath.Dir(path), 0)
		return facts, false
	case err != nil:
		d.failf("database", "let the server's user into the folder, or correct --data", "%v", err)
		return facts, false
	case !info.Mode().IsRegular():
		d.failf("database", "name a file with --data (HITHER_DATA)", "%s is no file", path)
		return facts, false
	}
	d.modes(path)
	d.folder(filepath.Dir(path), info.Size())
	d.log(path)
	facts, err = store.InspectSQLite(ctx, path, store.InspectOptions{Now: d.now, Deep: d.settings.Deep, Time: quickTime})
	if err != nil {
		d.failf("database", "correct --data (HITHER_DATA), or go back to a backup: docs/operations.md", "%s: %v", path, err)
		return facts, false
	}
	if !d.schema(facts) {
		return facts, false
	}
	d.content(facts)
	return facts, true
}

// quickTime is how long the file is read without --deep.
const quickTime = 10 * time.Second

// modes looks who else may read what is kept.
func (d *doctor) modes(path string) {
	open := 0
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err != nil {
			continue // the two are there while it is open
		}
		if mode := info.Mode().Perm(); mode&^0o600 != 0 {
			open++
			d.failf("file mode", "chmod 600 "+quoted(name), "%s is %04o: others may read or change it", name, mode)
		}
	}
	if open == 0 {
		d.okf("file mode", "only its owner may read it")
	}
	if err := allowed(path); err != nil {
		d.failf("file rights", "run hither as the file's owner, or chown the file", "%v", err)
	}
}

// leastFree is what a disk needs for the log and what is imported.
const leastFree = 64 << 20

// folder looks at what is around the database.
func (d *doctor) folder(path string, size int64) {
	if err := allowed(path); err != nil {
		d.failf("folder", "let the server's user write to it: SQLite keeps its log there", "%v", err)
	} else {
		d.okf("folder", "%s can be written to", path)
	}
	found, err := lookAtDisk(path)
	if err != nil {
		d.warnf("disk", "look at it yourself", "%v", err)
		return
	}
	d.disk(path, found, size)
}

func (d *doctor) disk(path string, found disk, used int64) {
	if found.remote == "" {
		d.okf("file system", "%s is on none that is known to be a network's", path)
	} else {
		d.failf("file system", "move the database to a local disk: SQLite's locks and shared memory do not work over a network",
			"%s is on %s", path, found.remote)
	}
	switch {
	case found.free < leastFree:
		d.failf("disk", "free some: writes fail when it is full", "%s is free", size(found.free))
	case found.free < used:
		d.warnf("disk", "free some, or back up to another disk", "%s is free, less than the database has: %s", size(found.free), size(used))
	default:
		d.okf("disk", "%s is free, the database has %s", size(found.free), size(used))
	}
}

// log looks at the size of the write-ahead log.
func (d *doctor) log(path string) {
	info, err := os.Stat(path + "-wal")
	if err != nil {
		return
	}
	d.logSize(info.Size())
}

// hugeLog is beyond the 64,000 pages from which commits themselves fold the log
// in.
const hugeLog = 512 << 20

func (d *doctor) logSize(bytes int64) {
	if bytes > hugeLog {
		d.warnf("log", "start the server anew, which folds it in; if it grows again, some program reads the file and never ends (fuser)",
			"the write-ahead log has %s", size(bytes))
		return
	}
	d.okf("log", "the write-ahead log has %s", size(bytes))
}

// schema reports whether this program can read the database.
func (d *doctor) schema(facts store.Inspection) bool {
	switch {
	case facts.MinProgram > store.Schema:
		d.failf("schema", "run the newer hither, or go back to a backup from before the upgrade",
			"%d, made for a hither that knows schema %d; this one knows %d", facts.Schema, facts.MinProgram, store.Schema)
		return false
	case facts.Schema < store.Schema:
		d.warnf("schema", "back up before you start this version: hither backup FILE",
			"%d; it is brought up to %d at the next start", facts.Schema, store.Schema)
	default:
		d.okf("schema", "%d; this program knows %d", facts.Schema, store.Schema)
	}
	return true
}

// content is how whole the file is.
func (d *doctor) content(facts store.Inspection) {
	if facts.Journal == "wal" {
		d.okf("journal", "a write-ahead log")
	} else {
		d.warnf("journal", "start the server, which sets it; then leave it", "the journal mode is %s, not wal", facts.Journal)
	}
	for _, damage := range facts.Damage {
		d.failf("damage", "stop hither, keep the file, and go back to a backup: docs/operations.md", "%s", strings.ReplaceAll(damage, "\n", " "))
	}
	for _, reference := range facts.Broken {
		d.failf("references", "somebody changed the file past hither; go back to a backup", "rows without what they refer to: %s", reference)
	}
	switch whole := len(facts.Damage)+len(facts.Broken) == 0; {
	case facts.Unfinished:
		d.warnf("damage", "hither doctor --deep takes the time that it needs", "the file was not read to its end in %s", quickTime)
	case whole && d.settings.Deep:
		d.okf("damage", "none; every index agrees with its table")
	case whole:
		d.okf("damage", "none; --deep holds every index to its table too")
	}
}
