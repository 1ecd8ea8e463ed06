package store

import (
	"encoding/binary"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// cut is what a proxy does to a connection on which a COMMIT goes out.
type cut int

const (
	pass        cut = iota
	cutBefore       // the server never sees it
	cutAnswer       // the server commits, and its answer is lost
	cutThenSend     // the client is cut off, and the server sees it later
)

// proxy stands between the store and PostgreSQL, and reads along.
type proxy struct {
	t      testing.TB
	target string
	listen net.Listener
	// onCommit decides on each COMMIT.
	onCommit func() cut
	// later holds a COMMIT of cutThenSend back until it returns.
	later func()
	wg    sync.WaitGroup
}

// through is a database's URL by way of a proxy.
func through(t testing.TB, database string, onCommit func() cut, later func()) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listen, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, target: u.Host, listen: listen, onCommit: onCommit, later: later}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		_ = listen.Close()
		p.wg.Wait()
	})
	u.Host = listen.Addr().String()
	return u.String()
}

func (p *proxy) accept() {
	for {
		client, err := p.listen.Accept()
		if err != nil {
			return
		}
		server, err := (&net.Dialer{}).DialContext(p.t.Context(), "tcp", p.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		link := &link{proxy: p, client: client, server: server}
		p.wg.Go(link.up)
		p.wg.Go(link.down)
	}
}

// link is one connection.
type link struct {
	*proxy
	client, server net.Conn

	mu   sync.Mutex
	mute bool // what the server says is lost
}

func (l *link) end() { _, _ = l.client.Close(), l.server.Close() }

// down carries what the server says.
func (l *link) down() {
	defer l.end()
	buffer := make([]byte, 1<<16)
	for {
		n, err := l.server.Read(buffer)
		if err != nil {
			return
		}
		l.mu.Lock()
		mute := l.mute
		l.mu.Unlock()
		if mute {
			return
		}
		if _, err := l.client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

// up carries what the client says, message by message. A first one has no
// type; see https://www.postgresql.org/docs/15/protocol-message-formats.html
func (l *link) up() {
	commits := map[string]bool{} // the prepared statements that are one
	for typed := false; ; typed = true {
		kind, message, err := readMessage(l.client, typed)
		if err != nil {
			l.end()
			return
		}
		if kind == 'P' { // Parse: a name, then the text
			name, rest, _ := strings.Cut(string(message[5:]), "\x00")
			commits[name] = strings.HasPrefix(rest, "COMMIT\x00")
		}
		if kind == 'B' { // Bind: a portal's name, then the statement's
			_, rest, _ := strings.Cut(string(message[5:]), "\x00")
			name, _, _ := strings.Cut(rest, "\x00")
			if commits[name] && l.commit(message) {
				return
			}
		}
		if _, err := l.server.Write(message); err != nil {
			l.end()
			return
		}
	}
}

// commit does to a COMMIT what was decided, and reports whether the connection
// ended with it. message is its first; Execute and Sync come with it.
func (l *link) commit(message []byte) bool {
	what := l.onCommit()
	switch what {
	case pass:
		return false
	case cutBefore:
		l.end()
		return true
	case cutAnswer, cutThenSend:
	}
	whole := message
	for kind := byte(0); kind != 'S'; {
		var err error
		if kind, message, err = readMessage(l.client, true); err != nil {
			l.t.Errorf("proxy: the COMMIT is not whole: %v", err)
			break
		}
		whole = append(whole, message...)
	}
	l.mu.Lock()
	l.mute = true
	l.mu.Unlock()
	if what == cutThenSend {
		_ = l.client.Close()
		l.later()
	}
	_, _ = l.server.Write(whole)
	return true // down ends it when the answer is there
}

func readMessage(from io.Reader, typed bool) (kind byte, message []byte, err error) {
	head := make([]byte, 4, 5)
	if typed {
		head = head[:5]
	}
	if _, err := io.ReadFull(from, head); err != nil {
		return 0, nil, err
	}
	if typed {
		kind = head[0]
	}
	message = make([]byte, len(head)-4+int(binary.BigEndian.Uint32(head[len(head)-4:])))
	copy(message, head)
	_, err = io.ReadFull(from, message[len(head):])
	return kind, message, err
}
