package console

import (
	"net/http"
	"time"

	"hither/internal/iam"
)

// keysView are the user's API keys; Shown is the one that was just drawn.
type keysView struct {
	Keys  []keyView
	Shown string
}

type keyView struct {
	Name  string
	Since time.Time
	To    string
}

func (x *exchange) showKeys() error {
	keys, err := x.Service.OwnKeys(x.r.Context(), x.actor)
	if err != nil {
		return err
	}
	var views []keyView
	for _, key := range keys {
		if !key.Disabled {
			views = append(views, keyView{Name: key.Name, Since: key.CreatedOn, To: "/keys/" + string(key.ID)})
		}
	}
	x.keysPage(keysView{Keys: views})
	return nil
}

func (x *exchange) keysPage(v keysView) {
	x.show(http.StatusOK, keysPage, view{Title: x.say("keys.heading"), Menu: "keys", Wide: true, Data: v})
}

// rotateKey draws a key in place of another one, and shows it in this answer
// alone.
func (x *exchange) rotateKey() error {
	id, ok := iam.ParseID(x.r.PathValue("key_id"))
	if !ok {
		x.gone()
		return nil
	}
	_, secret, err := x.Service.RotateOwnKey(x.r.Context(), x.actor, id, iam.IdempotencyKey{})
	if iam.KindOf(err) == iam.SignInAgain {
		x.leadToSignIn("/keys")
		return nil
	}
	if err != nil {
		return err
	}
	x.keysPage(keysView{Shown: secret})
	return nil
}
