package api

import (
	openapi "hither/api"
	"hither/internal/iam"
)

// tokenState is the token that asks.
type tokenState struct {
	ID        iam.ID  `json:"id"`
	Status    string  `json:"status"` // any other than active is refused
	ExpiresOn *moment `json:"expires_on,omitempty"`
}

const codeTokenActive = 10000

func verifyToken(x *exchange) (answer, error) {
	token, err := x.Auth.Token(x.r)
	if err != nil {
		return answer{}, err
	}
	out := tokenState{ID: token.ID, Status: "active"}
	if !token.ExpiresOn.IsZero() {
		expiresOn := moment(token.ExpiresOn)
		out.ExpiresOn = &expiresOn
	}
	return answer{result: out, messages: []notice{{Code: codeTokenActive, Message: "This API Token is valid and active"}}}, nil
}

// describe serves the description of all this.
func describe(*exchange) (answer, error) { return answer{text: openapi.Document()}, nil }
