package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// bareWriter is a connection over which the bare loop writes.
type bareWriter struct {
	begin    string
	conn     *sql.Conn
	prepared map[string]*sql.Stmt
}

// commit makes changes in one transaction.
func (w *bareWriter) commit(ctx context.Context, changes []statement) error {
	if err := w.exec(ctx, statement{text: w.begin}); err != nil {
		return err
	}
	for _, s := range changes {
		if err := w.exec(ctx, s); err != nil {
			return err
		}
	}
	return w.exec(ctx, statement{text: `COMMIT`})
}

// exec runs a statement that has to touch a row, if it is one of that kind.
func (w *bareWriter) exec(ctx context.Context, s statement) error {
	prepared := w.prepared[s.text]
	if prepared == nil {
		var err error
		if prepared, err = w.conn.PrepareContext(ctx, s.text); err != nil {
			return fmt.Errorf("%s: %w", s.text, err)
		}
		w.prepared[s.text] = prepared
	}
	result, err := prepared.ExecContext(ctx, s.values...)
	if err != nil {
		return fmt.Errorf("%s: %w", s.text, err)
	}
	if len(s.values) == 0 {
		return nil
	}
	if n, err := result.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("%s: touched %d rows, want 1 (%w)", s.text, n, err)
	}
	return nil
}

func (w *bareWriter) close() error {
	var all []error
	for _, prepared := range w.prepared {
		all = append(all, prepared.Close())
	}
	return errors.Join(append(all, w.conn.Close())...)
}
