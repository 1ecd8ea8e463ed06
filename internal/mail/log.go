package mail

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"
)

// Log writes each message's text to the log, links and codes included: for
// developing alone.
type Log struct{ logger *slog.Logger }

// NewLog says at once what such a log is.
func NewLog(logger *slog.Logger) *Log {
	logger.Warn("messages go to this log instead of to their readers (--mail log): who reads it can accept invitations and sign in as others")
	return &Log{logger}
}

// Send logs the text form, which says all that the other does.
func (l *Log) Send(ctx context.Context, m Message) error {
	subject, text, err := readable(m.MIME)
	if err != nil {
		return err
	}
	l.logger.InfoContext(ctx, "message", "to", m.To, "message_id", m.ID, "subject", subject, "text", text)
	return nil
}

// Close has nothing to give back.
func (*Log) Close() error { return nil }

// readable is the subject and the first part of a message as Build makes them.
func readable(message []byte) (subject, text string, err error) {
	m, err := mail.ReadMessage(strings.NewReader(string(message)))
	if err != nil {
		return "", "", fmt.Errorf("read the message: %w", err)
	}
	if subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return "", "", fmt.Errorf("read the subject: %w", err)
	}
	_, parameters, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return "", "", fmt.Errorf("read the message: %w", err)
	}
	part, err := multipart.NewReader(m.Body, parameters["boundary"]).NextRawPart()
	if err != nil {
		return "", "", fmt.Errorf("read the message: %w", err)
	}
	decoded, err := io.ReadAll(quotedprintable.NewReader(part))
	if err != nil {
		return "", "", fmt.Errorf("read the message: %w", err)
	}
	return subject, strings.ReplaceAll(string(decoded), "\r\n", "\n"), nil
}
