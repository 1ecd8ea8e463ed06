package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// peer is one of the servers that make peers sets side by side: how it is built,
// filled and started, and how it is spoken to. Users, accounts and rows go by
// their numbers in the population.
type peer interface {
	name() string
	setups() []setup
	limits() limits
	// build makes it ready to run, in the folder dir.
	build(ctx context.Context, dir string) error
	// seed makes a database in the folder dir that holds the population.
	seed(ctx context.Context, dir string, p population, s setup) (seeded, error)
	start(ctx context.Context, log, dir string, p population, s setup) (*server, error)

	// credential are the headers by which a user asks the server at addr.
	credential(s seeded, user int, addr string) []string
	read(invite string) ask
	invite(s seeded, account int, email, role string, by int) ask
	accept(invite string) ask
	remove(s seeded, account int, member string) ask
	// pending and roster ask for what pendingIn and rolesIn count.
	pending(s seeded, account int) ask
	roster(s seeded, account int) ask
	invited(body []byte) (id string, err error)
	pendingIn(body []byte) (int, error)
	// rolesIn are those of the members, as the population calls them.
	rolesIn(body []byte) ([]string, error)
}

// setup is a way to run a peer. The strict one uses what its documentation has
// against what the plain one lets through.
type setup struct {
	name      string
	strict    bool
	processes int // on the same database; 0 is one
}

// limits says where a peer looks at a limit of seats, and what then counts.
type limits struct {
	inviting  bool // open invitations count,
	members   bool // and members with them
	accepting bool // members count
}

// ask is a request, but for its credentials and for where it goes.
type ask struct{ method, path, body string }

// append writes it as a load sends it.
func (a ask) append(buf []byte, addr string, headers []string) []byte {
	buf = fmt.Appendf(buf, "%s %s HTTP/1.1\r\nHost: %s\r\n", a.method, a.path, addr)
	for i := 0; i < len(headers); i += 2 {
		buf = fmt.Appendf(buf, "%s: %s\r\n", headers[i], headers[i+1])
	}
	if a.body != "" {
		buf = append(buf, "Content-Type: application/json\r\nContent-Length: "...)
		buf = strconv.AppendInt(buf, int64(len(a.body)), 10)
		buf = append(buf, "\r\n"...)
	}
	buf = append(buf, "\r\n"...)
	return append(buf, a.body...)
}

// population is what a database is to hold, for every peer the same.
type population struct {
	Limit    int      `json:"limit"` // of seats in each account, 0 for none
	Users    []string `json:"users"` // addresses
	Accounts []string `json:"accounts"`
	Rows     []row    `json:"rows"`
}

// row is somebody's part in an account.
type row struct {
	Account int    `json:"account"`
	User    int    `json:"user"`
	Role    string `json:"role"`   // owner, admin or member
	Status  string `json:"status"` // accepted, pending or rejected
	By      int    `json:"by"`     // who invited; nobody where it was added directly
}

const nobody = -1

const (
	roleOwner  = "owner"
	roleAdmin  = "admin"
	roleMember = "member"
)

const (
	statusAccepted = "accepted"
	statusPending  = "pending"
	statusRejected = "rejected"
)

// seeded is what a peer made of a population, in its order: ids of its own, and
// secrets to ask with.
type seeded struct {
	Version     string   `json:"version"`
	Durability  string   `json:"durability"`
	Users       []string `json:"users"`
	Credentials []string `json:"credentials"`
	Accounts    []string `json:"accounts"`
	Invites     []string `json:"invites"` // of the rows, "" where there is none
	Members     []string `json:"members"`
}

// peerPopulation is the world of the bench, in the words of all peers.
func peerPopulation(w world) population {
	p := population{Users: make([]string, w.users), Accounts: make([]string, w.accounts+1), Rows: make([]row, w.rows)}
	for n := range p.Users {
		p.Users[n] = string(appendEmail(nil, n))
	}
	for n := range p.Accounts {
		p.Accounts[n] = fmt.Sprintf("Account %d", n)
	}
	for n := range p.Rows {
		account, member := n/perAccount, n%perAccount
		user, by := w.user(account, member), w.admin(account)
		if account >= w.accounts {
			account, member = w.bigAccount(), n-w.accounts*perAccount
			user, by = member, 0
		}
		r := row{Account: account, User: user, Role: roleMember, Status: statusAccepted, By: by}
		switch {
		case member == 0:
			r.Role, r.By = roleOwner, nobody
		case n%20 == 17:
			r.Status = statusRejected
		case n%20 > 17:
			r.Status = statusPending
		}
		p.Rows[n] = r
	}
	return p
}

// query writes the parameters of a path.
func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return "?" + strings.ReplaceAll(values.Encode(), "+", "%20")
}
