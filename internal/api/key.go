package api

import "hither/internal/iam"

// keyInfo is one of the user's own keys. What it opens with is shown when it is
// drawn, and at no other time.
type keyInfo struct {
	ID        iam.ID `json:"id"`
	Name      string `json:"name"`
	Status    string `json:"status"` // active or disabled
	CreatedOn moment `json:"created_on"`
}

func keyInfoOf(k iam.Key) keyInfo {
	out := keyInfo{ID: k.ID, Name: k.Name, Status: "active", CreatedOn: moment(k.CreatedOn)}
	if k.Disabled {
		out.Status = "disabled"
	}
	return out
}

func listKeys(x *exchange) (answer, error) {
	params := x.query()
	request := params.page(maxPerPage)
	if params.err != nil {
		return answer{}, params.err
	}
	keys, err := x.Service.OwnKeys(x.r.Context(), x.actor)
	if err != nil {
		return answer{}, err
	}
	from := min(request.Offset(), len(keys))
	page := iam.Page[iam.Key]{Items: keys[from:min(from+request.Size, len(keys))], Total: len(keys)}
	return list(page, request, keyInfoOf), nil
}

// drawnKey is a key that was just drawn: null where it was shown before.
type drawnKey struct {
	keyInfo

	Key *string `json:"key"`
}

func rotateKey(x *exchange) (answer, error) {
	key, err := x.onceUnread()
	if err != nil {
		return answer{}, err
	}
	made, secret, err := x.Service.RotateOwnKey(x.r.Context(), x.actor, x.id("key_id"), key)
	if err != nil {
		return answer{}, err
	}
	return answer{result: drawnKey{keyInfoOf(made.Result), optional(secret)}, replayed: made.Replayed}, nil
}
