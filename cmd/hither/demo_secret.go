package main

import (
	"hither/internal/dataset"
	"hither/internal/iam"
)

// secret is a key or token that was drawn in place of a public one.
type secret struct {
	owner, kind, text string
}

// withdraw draws random keys and tokens in place of those that everybody can
// read in the documentation, in whatever dataset they stand.
func withdraw(rows *iam.Dataset) ([]secret, error) {
	documented, err := dataset.Documentation()
	if err != nil {
		return nil, err
	}
	public := map[string]bool{}
	for _, user := range documented.Users {
		for _, key := range user.Keys {
			public[key] = true
		}
	}
	for _, token := range documented.Tokens {
		public[token.Secret] = true
	}
	var drawn []secret
	for i := range rows.Users {
		user := &rows.Users[i]
		for j, key := range user.Keys {
			if public[key] {
				user.Keys[j] = iam.NewKeySecret()
				drawn = append(drawn, secret{owner: user.Email, kind: "key", text: user.Keys[j]})
			}
		}
	}
	for i := range rows.Tokens {
		token := &rows.Tokens[i]
		if public[token.Secret] {
			token.Secret = iam.NewTokenSecret()
			drawn = append(drawn, secret{owner: token.Email, kind: "token", text: token.Secret})
		}
	}
	return drawn, nil
}
