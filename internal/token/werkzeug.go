package token

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/crypto/scrypt"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// werkzeug is a hash as Werkzeug writes it, method$salt$hex (werkzeug/security.py, generate_password_hash): the predecessors
// keep secrets so, and the passwords of local accounts are kept so too.
type werkzeug struct {
	method  string // scrypt, or pbkdf2
	n, r, p int    // of scrypt
	rounds  int    // of PBKDF2 with SHA-256
	salt    string // as it stands: Werkzeug does not decode it
	sum     []byte
}

// The costs that are checked at most: a hash from elsewhere must not take the machine down. Werkzeug's own are 32768, 8, 1
// and, by its version, 260,000 to 1,000,000 rounds.
const (
	mostN      = 1 << 16
	mostR      = 16
	mostP      = 4
	mostRounds = 2_000_000
)

func parseWerkzeug(text string) (werkzeug, error) {
	var h werkzeug
	wrong := func(what string) (werkzeug, error) { return werkzeug{}, fmt.Errorf("not a hash of Werkzeug: %s", what) }
	parts := strings.Split(text, "$")
	if len(parts) != 3 || parts[1] == "" {
		return wrong("it has not three parts")
	}
	h.salt = parts[1]
	method := strings.Split(parts[0], ":")
	h.method = method[0]
	size := sha256.Size
	switch {
	case h.method == "scrypt" && len(method) == 4:
		size = 64
		for i, to := range []struct {
			value *int
			most  int
		}{{&h.n, mostN}, {&h.r, mostR}, {&h.p, mostP}} {
			if !cost(method[i+1], to.value, to.most) {
				return wrong("its cost is out of bounds")
			}
		}
		if h.n < 2 || h.n&(h.n-1) != 0 {
			return wrong("its cost is no power of two")
		}
	case h.method == "pbkdf2" && len(method) == 3 && method[1] == "sha256":
		if !cost(method[2], &h.rounds, mostRounds) {
			return wrong("its cost is out of bounds")
		}
	default:
		return wrong("its method is unknown")
	}
	var err error
	if h.sum, err = hex.DecodeString(parts[2]); err != nil || len(h.sum) != size || parts[2] != strings.ToLower(parts[2]) {
		return wrong("its sum is none of the method")
	}
	return h, nil
}

func cost(text string, into *int, most int) bool {
	value, err := strconv.Atoi(text)
	*into = value
	return err == nil && value >= 1 && value <= most && strconv.Itoa(value) == text
}

// Matches tells whether a hash of Werkzeug's is that of a secret. It takes as long as the hash says: nobody who asks from outside may have it done.
func Matches(hash, secret string) bool {
	h, err := parseWerkzeug(hash)
	return err == nil && h.of(secret)
}

// of tells whether the hash is that of a secret.
func (h werkzeug) of(secret string) bool {
	var sum []byte
	var err error
	if h.method == "scrypt" {
		sum, err = scrypt.Key([]byte(secret), []byte(h.salt), h.n, h.r, h.p, len(h.sum))
	} else {
		sum, err = pbkdf2.Key(sha256.New, secret, []byte(h.salt), h.rounds, len(h.sum))
	}
	return err == nil && subtle.ConstantTimeCompare(sum, h.sum) == 1
}

// slow checks hashes that take long by design: some at once, and each secret once in a while.
type slow struct {
	turns   chan struct{}
	checked *otter.Cache[[32]byte, bool]
}

const (
	slowAtOnce = 2                // scrypt takes 61 ms and 33 MB each time
	slowFor    = 10 * time.Minute // a result is kept
	slowWait   = 5 * time.Second  // for a turn
)

func newSlow() (*slow, error) {
	checked, err := otter.New(&otter.Options[[32]byte, bool]{MaximumSize: 20_000, ExpiryCalculator: otter.ExpiryWriting[[32]byte, bool](slowFor)})
	return &slow{make(chan struct{}, slowAtOnce), checked}, err
}

// pair is what a result is kept under. A hash has no NUL, and a result says nothing of another hash.
func pair(hash, secret string) [32]byte { return sha256.Sum256([]byte(hash + "\x00" + secret)) }

// known gives a result that is there already.
func (s *slow) known(hash, secret string) (ok, known bool) {
	return s.checked.GetIfPresent(pair(hash, secret))
}

// check tells whether a hash is that of a secret.
func (s *slow) check(ctx context.Context, hash, secret string) (bool, error) {
	parsed, err := parseWerkzeug(hash)
	if err != nil {
		return false, errs.Wrap(errs.Unauthenticated, err, "%s", errBad.Message) // no other answer: it would tell of the account
	}
	done, err := s.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	if ok, known := s.known(hash, secret); known { // another request has checked it while this one waited
		return ok, nil
	}
	ok := parsed.of(secret)
	s.checked.Set(pair(hash, secret), ok)
	return ok, nil
}

// turn waits until few enough hashes are being made, and gives what ends the turn.
func (s *slow) turn(ctx context.Context) (done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, slowWait)
	defer cancel()
	select {
	case s.turns <- struct{}{}:
		return func() { <-s.turns }, nil
	case <-ctx.Done():
		return nil, errs.New(errs.Unavailable, "too many passwords are being checked right now; try again shortly")
	}
}

// The costs of a hash that is made here are those that Werkzeug 3 chooses.
const newN, newR, newP, newSize = 1 << 15, 8, 1, 64

// hash makes a hash of a secret.
func (s *slow) hash(ctx context.Context, secret string) (string, error) {
	done, err := s.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := rand.Text()[:16]
	sum, err := scrypt.Key([]byte(secret), []byte(salt), newN, newR, newP, newSize)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("scrypt:%d:%d:%d$%s$%x", newN, newR, newP, salt, sum), nil
}
