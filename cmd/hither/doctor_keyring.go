package main

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"hither/internal/store"
)

// longCurrent is how long a key may be current before a new one is asked for: the
// longest that NIST SP 800-57 has a key make things.
const longCurrent = 2 * 365 * 24 * time.Hour

// keyring looks whether the server would start with its instance keys, and does
// not miss those of a database that nobody has used.
func (d *doctor) keyring(env *environment, facts store.Inspection) {
	const check = "keyring"
	at, err := d.settings.keys(d.settings.where(), env)
	if err != nil {
		d.failf(check, "set one of the two; docs/operations.md, Instance keys, has more", "%v", err)
		return
	}
	ring, err := at.read()
	switch {
	case errors.Is(err, fs.ErrNotExist) && len(facts.InstanceKeys) > 0:
		d.failf(check, wayOut, "there is none at %s, and this database was served with the keys %s", at, strings.Join(facts.InstanceKeys, ", "))
		return
	case errors.Is(err, fs.ErrNotExist) && !at.shared && facts.Users == 0:
		return
	case errors.Is(err, fs.ErrNotExist) && !at.shared:
		d.warnf(check, "if this instance was served before, put back the copy that was kept, or every link that was sent is dead; "+
			"if not, its first start makes one", "there is none at %s", at)
		return
	case err != nil:
		d.failf(check, "docs/operations.md, Instance keys, says how", "%v", err)
		return
	}
	if err := checkKnown(at, ring, facts.InstanceKeys); err != nil {
		d.failf(check, wayOut, "%s has none of the keys that this database was served with, %s", at, strings.Join(facts.InstanceKeys, ", "))
		return
	}
	if gone := missing(ring, facts.InstanceKeys); len(gone) > 0 {
		d.warnf(check, oldCopy, "%s lacks keys that this database was served with, %s: it may be an old copy", at, strings.Join(gone, ", "))
	}
	for _, id := range orphans(facts.Sealed, ring) {
		d.failf(check, "put back the copy of the keyring that has it; those whose values these are can't use them until then",
			"values are sealed with the key %s (%s), which is not on %s", id, strings.Join(sealedBy(facts.Sealed, id), ", "), at)
	}
	current := ring.Current()
	if d.now.Sub(current.Created) > longCurrent {
		d.warnf(check, "hither keyring rotate", "%s: the current key, %s, is of %s", at, current.ID, show(current.Created))
		return
	}
	d.okf(check, "%s: %s, the current one, %s, is of %s", at, counted(len(ring.Keys()), "key"), current.ID, show(current.Created))
}
