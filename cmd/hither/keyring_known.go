package main

import (
	"context"
	"encoding/hex"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"hither/internal/seal"
	"hither/internal/store"
)

// wayOut is what leads on where a keyring is lost.
const wayOut = "put back the copy that was kept, or name the right one with --keyring (HITHER_KEYRING). Where it is lost for good, " +
	"`hither keyring forget` gives up what those keys made, and the next start goes on with other ones"

// lostKeyring refuses to make a keyring anew for a database that was served with
// one: every link that was sent would be dead and what is sealed lost, and nobody
// told.
func lostKeyring(at fmt.Stringer, known []string) error {
	return fmt.Errorf("there is no keyring %s, and this database was served with the keys %s: %s", at, strings.Join(known, ", "), wayOut)
}

// checkKnown refuses a keyring that has none of the keys that a database knows: it
// is another instance's.
func checkKnown(at fmt.Stringer, ring seal.Keyring, known []string) error {
	if len(known) == 0 || slices.ContainsFunc(idsOn(ring), func(id string) bool { return slices.Contains(known, id) }) {
		return nil
	}
	return fmt.Errorf("the keyring %s has none of the keys that this database was served with, %s: %s", at, strings.Join(known, ", "), wayOut)
}

func idsOn(ring seal.Keyring) []string {
	keys := ring.Keys()
	ids := make([]string, len(keys))
	for i, key := range keys {
		ids[i] = key.ID
	}
	return ids
}

// openKeys opens the keyring for a server, unless the database knows better, and
// has the database know its keys.
func (c *serveCommand) openKeys(ctx context.Context, at keyPlace, db opened, logger *slog.Logger) (func() seal.Keyring, error) {
	known, err := db.store.InstanceKeys(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := at.open(logger, known)
	if err != nil {
		return nil, err
	}
	ring := keys()
	err = db.store.NoteInstanceKeys(ctx, idsOn(ring), func(now []string) error {
		known = now
		return checkKnown(at, ring, now)
	})
	if err != nil {
		return nil, err
	}
	if gone := missing(ring, known); len(gone) > 0 {
		logger.Warn("the keyring lacks keys that this database was served with: it may be an old copy, and what they made does not open; "+
			oldCopy, "keyring", ring, "lacks", strings.Join(gone, ", "))
	}
	return keys, nil
}

// oldCopy is what leads on where a keyring has some of the keys that it should.
const oldCopy = "put back the newest copy; where there is none, `hither keyring forget` gives up what the missing keys made"

// missing are the keys that a database knows and a keyring has not.
func missing(ring seal.Keyring, known []string) []string {
	on := idsOn(ring)
	return slices.DeleteFunc(slices.Clone(known), func(id string) bool { return slices.Contains(on, id) })
}

// sealedBy is how many values of each table a key of sealed ones opens.
func sealedBy(sealed []store.Sealed, keyID string) (counts []string) {
	for _, one := range sealed {
		if id, ok := seal.KeyOf(one.Head); ok && id == keyID {
			counts = append(counts, fmt.Sprintf("%d in %s", one.Values, one.Table))
		}
	}
	return counts
}

// orphans are the ids of keys by which something is sealed and which are not on a
// keyring. What names no key is shown as it is.
func orphans(sealed []store.Sealed, ring seal.Keyring) (ids []string) {
	on := idsOn(ring)
	for _, one := range sealed {
		id, ok := seal.KeyOf(one.Head)
		if !ok {
			id = "0x" + hex.EncodeToString(one.Head)
		}
		if !slices.Contains(on, id) && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}
