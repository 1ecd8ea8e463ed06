package console

import (
	"crypto/sha256"
	_ "embed" // the script
	"encoding/hex"
	"net/http"
)

//go:embed static/opened.js
var openedScript []byte

// scriptPathOf is the script's: its name is its content's, as the style's is.
func scriptPathOf() string {
	sum := sha256.Sum256(openedScript)
	return "/static/" + hex.EncodeToString(sum[:8]) + ".js"
}

// showScript is the one script that there is.
func (x *exchange) showScript() error {
	x.w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	x.write(http.StatusOK, "text/javascript; charset=utf-8", openedScript)
	return nil
}

// noteOpened is what that script posts from the page of an invitation that can be
// answered. It says no more than the page itself shows that its reader may see it.
func (x *exchange) noteOpened() error {
	return x.visiting(func(v visit) error {
		if standingOf(v, x.actor, x.Now()) == open {
			if err := x.Service.NoteOpened(x.r.Context(), v.ID, v.Link.Generation); err != nil {
				return err
			}
		}
		x.seen.Status = http.StatusNoContent
		x.w.WriteHeader(http.StatusNoContent)
		return nil
	})
}
