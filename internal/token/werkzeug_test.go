package token

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/mlflow-oidc/mlflow-oidc-auth/internal/errs"
)

// vectors were made by werkzeug.security.generate_password_hash, version 3.1.9.
var vectors = []struct{ secret, hash string }{
	{"correct horse battery staple", "scrypt:32768:8:1$0jf6hUpS8sZpohwk$b8e4b27279a5474fc578641dd675d79218a8ed6208f9e7ba1304d378a5b0d727e1fe348ef54933d837a79f0ba30a5dc9e0cb427aa7b55cf4388b9f847137cd34"},
	{"correct horse battery staple", "scrypt:16384:8:1$UyGwqHDxZa0BTu3I$8abc6423b38195930a07cd833b2d9df2639e7ae8f778019344b99755166e51dac8687902b10fae31aa0c03fdfcbe43bc6d4d661f9b29e06a279b990e64b64730"},
	{"password1234", "scrypt:32768:8:1$dyAQfxu8AbP6ZQ7K$5288bde20cc6bff409014dd90aa284f236173cffc2a56c0b9b77470f1efca0b6e637f6315c302f740a9e58638b6709c37328453e5e4f648af7e6f78e3a1c5365"},
	{"Zürich ☃ £", "scrypt:32768:8:1$vB8NY5U8DW5IgSwp$e99635e6b25c64e5e2368d710c5775a98f63eed84fc61d25ff85aebec3079546032c511aa9ee9c3db172978e3e5f12e550beb4eb6f1ebcfbc545b828f4d407a8"},
	{strings.Repeat("a", 200), "scrypt:32768:8:1$9BC5Kai9hwnzW2WR$b42336c8a2ca820fbe5b9bfcd25caf150396eb1aca55f193ab158549e9d4bf8a71bcc04766ab2e0aea755873b41332f496917b9e83c1d661490fd5ad59ead401"},
	{"AbCdEfGhIjKlMnOpQrStUvWx", "pbkdf2:sha256:260000$oIAzAE0fLGrDZ3W5$27a0fc14d75970c548c147f159c7ea38fe8c60e010f038cd500fe1edc40437f9"},
	{"AbCdEfGhIjKlMnOpQrStUvWx", "pbkdf2:sha256:600000$bRFJxoZktBhPPUv0$87e93fab586fadd446c9e4ee590bc5d465e085eaa8b23f43383913487a52eff4"},
	{"Zürich ☃ £", "pbkdf2:sha256:1000$ZqyYqf4Ds5Jmec2T$a49c984ed18463293b5690092bbe4edce9a01b897d6908be3e2b3e8f4a28e3e6"},
	{"x", "pbkdf2:sha256:1000000$vy6DEESI8BMj2aXX$f3f923991fc10a7b990794e9e842f709e90918f34c347ac71c4367c4abafa667"},
}

func TestWerkzeugHashes(t *testing.T) {
	s, err := newSlow()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range vectors {
		for secret, want := range map[string]bool{v.secret: true, v.secret + " ": false, strings.ToUpper(v.secret) + "!": false, "": false} {
			for range 2 { // the second time from memory
				if got, err := s.check(t.Context(), v.hash, secret); err != nil || got != want {
					t.Errorf("%.12q for %.30s… is %v, %v", secret, v.hash, got, err)
				}
			}
		}
	}
}

func TestHashesOfAnotherKindAreRefused(t *testing.T) {
	sum, long := strings.Repeat("ab", 32), strings.Repeat("ab", 64)
	for name, text := range map[string]string{
		"empty":             "",
		"bare":              sum,
		"plain text":        "plain$$secret",
		"no salt":           "pbkdf2:sha256:1000$$" + sum,
		"four parts":        "pbkdf2:sha256:1000$a$b$" + sum,
		"another digest":    "pbkdf2:sha1:1000$a$" + sum,
		"no rounds":         "pbkdf2:sha256$a$" + sum,
		"no round":          "pbkdf2:sha256:0$a$" + sum,
		"rounds for a year": "pbkdf2:sha256:99999999999$a$" + sum,
		"signed rounds":     "pbkdf2:sha256:+1000$a$" + sum,
		"short sum":         "pbkdf2:sha256:1000$a$abcd",
		"no sum":            "pbkdf2:sha256:1000$a$",
		"sum of another":    "pbkdf2:sha256:1000$a$" + long,
		"sum in capitals":   "pbkdf2:sha256:1000$a$" + strings.ToUpper(sum),
		"memory for all":    "scrypt:1073741824:8:1$a$" + long,
		"no power of two":   "scrypt:32767:8:1$a$" + long,
		"one":               "scrypt:1:8:1$a$" + long,
		"wide":              "scrypt:32768:1000000:1$a$" + long,
		"parallel":          "scrypt:32768:8:1000000$a$" + long,
		"short scrypt":      "scrypt:32768:8:1$a$" + sum,
		"bcrypt":            "$2b$12$abcdefghijklmnopqrstuv",
	} {
		if h, err := parseWerkzeug(text); err == nil {
			t.Errorf("%s is taken for %+v", name, h)
		}
	}
}

// What is read is what was written, and costs no more than is allowed.
func FuzzWerkzeug(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.hash)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseWerkzeug(text)
		if err != nil {
			return
		}
		method := fmt.Sprintf("scrypt:%d:%d:%d", h.n, h.r, h.p)
		if h.method != "scrypt" {
			method = fmt.Sprintf("pbkdf2:sha256:%d", h.rounds)
		}
		if again := fmt.Sprintf("%s$%s$%x", method, h.salt, h.sum); again != text {
			t.Errorf("%q was read as %q", text, again)
		}
		if h.n > mostN || h.r > mostR || h.p > mostP || h.rounds > mostRounds {
			t.Errorf("%q costs too much", text)
		}
	})
}

// The attack: hold the machine down by many guesses at once. Those that get no turn are not answered as wrong.
func TestAttackManyGuessesAtOnce(t *testing.T) {
	s, err := newSlow()
	if err != nil {
		t.Fatal(err)
	}
	for range slowAtOnce {
		s.turns <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if ok, err := s.check(ctx, vectors[7].hash, vectors[7].secret); ok || !errs.Is(err, errs.Unavailable) {
		t.Errorf("without a turn the answer is %v, %v", ok, err)
	}
	<-s.turns
	if ok, err := s.check(t.Context(), vectors[7].hash, vectors[7].secret); !ok || err != nil {
		t.Errorf("with a turn the answer is %v, %v", ok, err)
	}
	if len(s.turns) != slowAtOnce-1 {
		t.Errorf("%d turns are taken still", len(s.turns))
	}
}
