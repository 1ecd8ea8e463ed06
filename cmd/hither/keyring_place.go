package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"hither/internal/clock"
	"hither/internal/seal"
)

// keyVariable holds a keyring itself. It is no flag: others can see command lines.
const keyVariable = "HITHER_KEY"

// keyringSetting is the setting of every command that needs the instance keys.
type keyringSetting struct {
	Keyring string `env:"HITHER_KEYRING" help:"The file of the instance keys. Unless given, the name of the SQLite file and .keys; HITHER_KEY, with the text of such a file, stands in for both." placeholder:"FILE"`
}

// keyPlace is where the instance keys are: in a file, or in the environment.
type keyPlace struct {
	file   string       // "": they were in the environment
	ring   seal.Keyring // what was there
	shared bool         // with other nodes, so that no node may make keys of its own
}

// keys says where the keyring of a database is.
func (k keyringSetting) keys(db place, env *environment) (keyPlace, error) {
	text := env.getenv(keyVariable)
	switch {
	case text != "" && k.Keyring != "":
		return keyPlace{}, usageError{keyVariable + " and --keyring (HITHER_KEYRING) can't be used together: each is the keyring"}
	case text != "":
		ring, err := parseVariable(text)
		return keyPlace{ring: ring}, err
	case k.Keyring != "":
		return keyPlace{file: k.Keyring, shared: db.url != ""}, nil
	case db.url != "":
		return keyPlace{}, usageError{"the nodes of a PostgreSQL database need the same instance keys: " +
			"`hither keyring make --keyring FILE` makes them once; then give every node the file by " +
			"--keyring (HITHER_KEYRING), or its text in " + keyVariable}
	default:
		return keyPlace{file: db.file + ".keys"}, nil
	}
}

// String names the place, and nothing of what is there.
func (p keyPlace) String() string {
	if p.file == "" {
		return keyVariable
	}
	return p.file
}

// read reads the keyring that is there.
func (p keyPlace) read() (seal.Keyring, error) {
	if p.file == "" {
		return p.ring, nil
	}
	ring, err := seal.Load(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		err = explained{fmt.Sprintf("there is no keyring %s; --keyring (HITHER_KEYRING) says where it is, and %s", p.file, p.maker()), err}
	}
	return ring, err
}

func (p keyPlace) maker() string {
	if p.shared {
		return "on the first node `hither keyring make` makes one, which is then copied to the others"
	}
	return "`hither serve` makes one at its first start"
}

// parseVariable reads a keyring with its keys in lines, or separated by semicolons
// where lines are hard to write.
func parseVariable(text string) (seal.Keyring, error) {
	if text = strings.TrimSpace(text); !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, ";", "\n")
	}
	ring, err := seal.ParseKeyring(text)
	if err != nil {
		return seal.Keyring{}, usageError{keyVariable + ": " + err.Error()}
	}
	return ring, nil
}

// open reads the keyring for a server, which makes it where there is none and
// takes up what is changed later. It makes none where the database knows some.
func (p keyPlace) open(logger *slog.Logger, known []string) (func() seal.Keyring, error) {
	if p.file == "" {
		return func() seal.Keyring { return p.ring }, nil
	}
	switch _, err := p.read(); {
	case errors.Is(err, fs.ErrNotExist) && len(known) > 0:
		return nil, lostKeyring(p, known)
	case errors.Is(err, fs.ErrNotExist) && !p.shared:
		made, err := seal.Create(p.file, clock.Now())
		if err != nil {
			return nil, err
		}
		logger.Info("made a keyring; keep a copy of it, apart from the backups of the database", "file", p.file, "keyring", made)
	case err != nil:
		return nil, err
	}
	file, err := seal.OpenFile(p.file, logger)
	if err != nil {
		return nil, err
	}
	return file.Keyring, nil
}
