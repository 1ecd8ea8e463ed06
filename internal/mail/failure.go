package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/textproto"
	"os"
	"regexp"
	"strings"
)

// maxWords is how much of what a server said is kept, in characters.
const maxWords = 300

// failure is what the outbox hears of an error. Only what a server said against
// the message itself is permanent: where it does not let us in, mending the
// settings is what helps, and no invitation should have died of them.
func failure(m Message, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	f := &Failure{cause: err}
	stage, known := errors.AsType[*stageError](err)
	answer, spoke := errors.AsType[*textproto.Error](err)
	if !spoke {
		f.Words = Words(ourWords(stage, err), m.To)
		return f
	}
	f.Code = answer.Code
	f.Permanent = answer.Code >= 500 && answer.Code <= 599 && known && !stage.ours && !wantsSignIn(answer.Code)
	f.Words = answer.Msg
	if known && stage.ours {
		f.Words = stage.stage + ": " + answer.Msg
	}
	f.Words = Words(f.Words, m.To)
	return f
}

// wantsSignIn reports whether a code is about our credentials (RFC 4954), at
// whatever command the server says it.
func wantsSignIn(code int) bool { return code == 530 || code == 534 || code == 535 || code == 538 }

// ourWords say what went wrong where the server said nothing.
func ourWords(stage *stageError, err error) string {
	var what string
	var (
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		resolve     *net.DNSError
	)
	switch {
	case errors.Is(err, errTooMuch):
		what = errTooMuch.Error()
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		what = "no answer in time"
	case errors.As(err, &certificate):
		what = "its certificate is not to be trusted: " + certificate.Err.Error()
	case errors.As(err, &authority):
		what = "its certificate is not to be trusted: " + authority.Error()
	case errors.As(err, &resolve):
		what = "no such host"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		what = "the server hung up"
	case stage != nil:
		what = stage.err.Error()
	default:
		what = err.Error()
	}
	if stage == nil {
		return what
	}
	return stage.stage + ": " + what
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// Words are a server's words as they are kept and shown: on one line, bounded,
// and without addresses but the one that they are about, since a server may
// tell of mailboxes behind it.
func Words(s, about string) string {
	const most = 8 * maxWords
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "")
	}
	s = tidy(s, most)
	s = regexp.MustCompile(`[^\s<>"'(),;:]+@[^\s<>"'(),;:]+`).ReplaceAllStringFunc(s, func(address string) string {
		if about != "" && strings.EqualFold(strings.Trim(address, "."), about) {
			return address
		}
		return "(address)"
	})
	return tidy(s, maxWords)
}
