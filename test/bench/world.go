package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"hither/internal/iam"
)

// world is what the database holds, all of it to be computed from numbers: the
// load generator needs no list of a million ids.
//
// Most memberships are in accounts of perAccount members, a fifth of them in
// one large account that every user belongs to. Users are numbered; account a
// has perAccount users in a row, and each user is in four small accounts.
type world struct {
	rows     int
	accounts int // small ones
	big      int // members of the large one
	users    int
	keys     []string // of the users, in plain text
}

const (
	perAccount   = 40
	smallestRows = 1000
	bigAdmins    = 1 // who may list the large account's members
)

func worldOf(rows int) world {
	w := world{rows: rows, big: rows / 5, users: rows / 5, accounts: (rows - rows/5) / perAccount}
	w.keys = make([]string, w.users)
	for i := range w.keys {
		sum := sha256.Sum256(fmt.Appendf(nil, "bench key %d", i))
		w.keys[i] = hex.EncodeToString(sum[:])[:37]
	}
	return w
}

// The kinds of ids.
const (
	userKind = iota
	accountKind
	memberKind
	keyKind
)

// start is when the first membership was made; four come in a millisecond.
var start = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

// appendID writes the id of the n-th row of a kind: a UUIDv7, so that ids are
// in the order of the rows, as in a database that has grown.
func appendID(buf []byte, kind, n int) []byte {
	const digits = "0123456789abcdef"
	high := uint64(start.UnixMilli()+int64(n/4))<<16 | 0x7000 | uint64(n%4)
	low := mix(uint64(kind)<<60|uint64(n))&^(3<<62) | 1<<63
	for _, half := range [2]uint64{high, low} {
		for shift := 60; shift >= 0; shift -= 4 {
			buf = append(buf, digits[half>>shift&0xf])
		}
	}
	return buf
}

func rowID(kind, n int) iam.ID { return iam.ID(appendID(nil, kind, n)) }

func createdOn(n int) time.Time { return start.Add(time.Duration(n/4) * time.Millisecond) }

// mix is splitmix64: numbers that look random and are the same in every run.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// random draws from 0 to n-1.
type random struct{ state uint64 }

func (r *random) below(n int) int {
	r.state++
	return int(mix(r.state) % uint64(n))
}

func appendEmail(buf []byte, user int) []byte {
	return fmt.Appendf(buf, "member-%07d@example.com", user)
}

// user is the one behind the m-th member of small account a.
func (w world) user(a, m int) int { return (a*perAccount + m) % w.users }

// stranger is a user who is not in small account a, another for each k below
// perAccount.
func (w world) stranger(a, k int) int { return ((a+1)*perAccount + k) % w.users }

// admin is the Super Administrator of small account a.
func (w world) admin(a int) int { return w.user(a, 0) }

// bigAccount is the number of the large account: after all small ones.
func (w world) bigAccount() int { return w.accounts }

// invite draws an invitation and says whose it is. All but the first members
// of an account were invited.
func (w world) invite(r *random) (membership, user int) {
	for {
		n := r.below(w.rows)
		if n >= w.accounts*perAccount {
			if k := n - w.accounts*perAccount; k >= bigAdmins {
				return n, k
			}
			continue
		}
		if n%perAccount > 0 {
			return n, w.user(n/perAccount, n%perAccount)
		}
	}
}
