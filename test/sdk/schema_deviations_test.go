package sdk_test

import "strings"

// deviation is a point in which we differ from upstream on purpose. It covers each problem of that kind whose place
// begins with side ("request" or "answer") and ends with at, in one operation, or in any where operation is "".
type deviation struct {
	operation, side, at, what string

	why string
}

func (d deviation) covers(operation string, found problem) bool {
	return (d.operation == "" || d.operation == operation) &&
		strings.HasPrefix(found.where, d.side) && strings.HasSuffix(found.where, d.at) && found.what == d.what
}

// deviations is the whole list. An entry that covers nothing fails the test.
func deviations() []deviation {
	const (
		integer    = `integer, where upstream takes "number"`
		noPolicies = "permission and resource groups are not served yet; sending policies is refused with 1001"
		noTenants  = "there are no organizations above accounts"
		fraction   = "a page with a fraction means nothing; SDKs send whole numbers"
		bounded    = "no value that a row can have is longer; a longer one is refused, so that it costs no search"
		unicode    = "addresses with other than ASCII letters are sent as they are"
		notKept    = "of a request its id is kept, and of a token its id"
		accountLog = "GET /accounts/{}/audit_logs"
		userLog    = "GET /user/audit_logs"
		newerLog   = "GET /accounts/{}/logs/audit"
		olderLog   = "GET /organizations/{}/audit_logs"
		noResult   = `object, where upstream sends "array"`
		null       = "a refusal has null there, as everywhere else"
		envelope   = "the envelope is the same everywhere, as upstream's other operations have it"
		mark       = "the older notices had code and message only; ours are the same everywhere, as upstream's newest"
	)
	return []deviation{
		{"", "request", "?page", integer, fraction},
		{"", "request", "?per_page", integer, fraction},
		{"DELETE /accounts/{}", "request", "{account_id}", "maxLength", "upstream limits it on the other methods; a longer one is no id"},

		{"POST /accounts", "request", "/name", "maxLength", "upstream limits the name when it is changed, and answers with one so limited"},
		{"POST /accounts", "request", "/name", "minLength", "an account has a name"},
		{"PUT /accounts/{}", "request", "/name", "minLength", "an account has a name"},
		{"PUT /accounts/{}", "request", "/managed_by", "missing", noTenants},
		{"PUT /accounts/{}", "request", "/settings/enforce_twofactor", "default", "a setting that is left out stays as it is"},
		{"", "answer", "/managed_by", "missing", noTenants},
		{"", "answer", "/settings/abuse_contact_email", "null", "nobody set it; recorded answers have null there too"},

		{"POST /accounts/{}/members", "request", "/policies", "missing", noPolicies},
		{"POST /accounts/{}/members", "request", "/roles", "required", "upstream's second form has policies in their place: " + noPolicies},
		{"POST /accounts/{}/members", "request", "/roles", "not marked x-extension", "seen from upstream's second form"},
		{"PUT /accounts/{}/members/{}", "request", "/policies", "missing", noPolicies},
		{"PUT /accounts/{}/members/{}", "request", "/roles", "not marked x-extension", "seen from upstream's second form"},
		{"", "answer", "/policies", "missing", noPolicies},
		{"", "answer", "/status", "the value rejected", "upstream's list takes this status as a filter, so its members have it"},

		{accountLog, "request", "", "maxLength", bounded},
		{accountLog, "request", "", "minLength", bounded},
		{"", "answer", "/actor/email", "format", unicode},
		{accountLog, "refusal", "/result", noResult, null},
		{userLog, "request", "", "maxLength", bounded},
		{userLog, "request", "", "minLength", bounded},
		{userLog, "refusal", "/result", noResult, null},
		{olderLog, "request", "", "not marked x-extension", "the parameters that upstream describes under /accounts"},
		{newerLog, "request", "", "maxLength", bounded},
		{newerLog, "request", "", "minLength", bounded},
		{newerLog, "request", "?limit", integer, fraction},
		{newerLog, "answer", "/actor/token_name", "missing", notKept},
		{newerLog, "answer", "/id", "maxLength", "a row of which the request has several has their order in its id"},
		{newerLog, "answer", "/raw/method", "missing", notKept},
		{newerLog, "answer", "/raw/status_code", "missing", notKept},
		{newerLog, "answer", "/raw/uri", "missing", notKept},
		{newerLog, "answer", "/raw/user_agent", "missing", notKept},
		{newerLog, "answer", "/resource/request", "missing", notKept},
		{newerLog, "answer", "/resource/scope", "missing", "upstream says no more than that it is an object"},
		{newerLog, "answer", "/zone", "missing", "there are no zones"},
		{newerLog, "answer", "/code", "not marked x-extension", envelope},
		{newerLog, "answer", "/messages", "not marked x-extension", envelope},
		{newerLog, "refusal", "/code", "not marked x-extension", envelope},
		{newerLog, "refusal", "/documentation_url", "not marked x-extension", envelope},
		{newerLog, "refusal", "/source", "not marked x-extension", envelope},
		{newerLog, "refusal", "/result", "not marked x-extension", envelope},

		{"", "answer", "/*/documentation_url", "not marked x-extension", mark},
		{"", "answer", "/*/source", "not marked x-extension", mark},
	}
}
