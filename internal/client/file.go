// Package client signs a person in at a terminal, at a gateway elsewhere, and keeps what comes of it in a file that the Python
// client reads too.
package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// Credential is a sign-in at one server.
type Credential struct {
	TokenEndpoint      string  `json:"token_endpoint"`
	RevocationEndpoint string  `json:"revocation_endpoint"`
	AccessToken        string  `json:"access_token"`
	RefreshToken       string  `json:"refresh_token"`
	ObtainedAt         float64 `json:"obtained_at"` // seconds since 1970
	ExpiresAt          float64 `json:"expires_at"`
	Scope              string  `json:"scope,omitempty"`
}

// early is how long before its end a token is renewed, at most: a quarter of its life, and of long lives five minutes.
const early = 5 * 60

// due tells whether a token is to be renewed, and whether it has ended.
func (c Credential) due(now time.Time) (renew, ended bool) {
	left := c.ExpiresAt - float64(now.UnixMilli())/1000
	return left < min(early, (c.ExpiresAt-c.ObtainedAt)/4), left <= 0
}

// layout is the version of the file's form that this program reads and writes.
const layout = 1

type content struct {
	Version int                   `json:"version"`
	Servers map[string]Credential `json:"servers"`
}

// File keeps credentials, by server and profile. Everybody who writes it holds a lock beside it, and puts a new file in its
// place, so that a reader needs none.
type File struct{ Path string }

// PathVariable names the file where it is not at its usual place.
const PathVariable = "MLFLOW_OIDC_CREDENTIALS_FILE"

// DefaultFile is the file in the user's own folder of settings.
func DefaultFile(getenv func(string) string) (File, error) {
	if path := getenv(PathVariable); path != "" {
		return File{path}, nil
	}
	dir, err := os.UserConfigDir()
	if err != nil {
		return File{}, fmt.Errorf("finding the folder of your settings (%s can name the file instead): %w", PathVariable, err)
	}
	return File{filepath.Join(dir, "mlflow-oidc-auth", "credentials.json")}, nil
}

// key is where the credential of a server is: several sign-ins at one server have profiles.
func key(server, profile string) string {
	if profile == "" {
		return server
	}
	return server + "#" + profile
}

// read gives what the file holds. One that others can read or write is refused: its tokens may be theirs, or known to them.
func (f File) read() (content, error) {
	all := content{layout, map[string]Credential{}}
	file, err := os.Open(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err != nil {
		return all, fmt.Errorf("reading the credentials: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return all, fmt.Errorf("reading the credentials: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return all, fmt.Errorf("%s must be yours alone: chmod 600 it, or delete it and sign in again", f.Path)
	}
	if err := json.NewDecoder(file).Decode(&all); err != nil {
		return all, fmt.Errorf("reading %s: %w; delete it and sign in again", f.Path, err)
	}
	if all.Version != layout {
		return all, fmt.Errorf("%s was written by another version of this program; update this one, or delete the file and sign in again", f.Path)
	}
	if all.Servers == nil {
		all.Servers = map[string]Credential{}
	}
	return all, nil
}

// change changes the file while nobody else does. What the function has changed is written also when it gives an error.
func (f File) change(do func(servers map[string]Credential) (write bool, err error)) error {
	if err := os.MkdirAll(filepath.Dir(f.Path), 0o700); err != nil {
		return fmt.Errorf("making the folder of the credentials: %w", err)
	}
	lock, err := os.OpenFile(f.Path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("locking the credentials: %w", err)
	}
	defer lock.Close() // and with it the lock goes
	if err := hold(lock); err != nil {
		return fmt.Errorf("locking the credentials: %w", err)
	}
	all, err := f.read()
	if err != nil {
		return err
	}
	write, err := do(all.Servers)
	if write {
		err = errors.Join(err, f.replace(all))
	}
	return err
}

func (f File) replace(all content) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(f.Path), ".credentials-*") // 0600
	if err != nil {
		return fmt.Errorf("writing the credentials: %w", err)
	}
	_, err = next.Write(text)
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err == nil {
		err = os.Rename(next.Name(), f.Path)
	}
	if err != nil {
		_ = os.Remove(next.Name())
		return fmt.Errorf("writing the credentials: %w", err)
	}
	return nil
}
