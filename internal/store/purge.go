package store

import "fmt"

// expireBound is how many rows whose time is over one transaction drops. It is
// more than the one that it adds, so that a table holds what lives and no more.
const expireBound = 16

// purge drops some rows of a table whose time, expires_on, is over, the oldest
// first. Nearly always there is nothing, and it costs one statement.
func (t *tx) purge(table string) error {
	_, err := t.exec(`DELETE FROM `+table+` WHERE id IN
		(SELECT k.id FROM `+table+` k WHERE k.expires_on <= $1 ORDER BY k.expires_on LIMIT $2`+t.besideOthers()+`)`,
		toMicros(t.now), expireBound)
	if err != nil {
		return fmt.Errorf("drop old %s: %w", table, err)
	}
	return nil
}
