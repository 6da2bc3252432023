package devidp

import (
	"net/http"
	"time"
)

// Life is how long access and ID tokens are good.
const Life = 5 * time.Minute

// family is the refresh tokens of one sign-in, of which one alone is good.
type family struct {
	grant   grant
	current string
	revoked bool
}

// refresh gives new tokens for a refresh token, which is good once: one that comes again was stolen by somebody, and ends
// the whole family (RFC 9700 §4.14.2). What the provider says of the person is what it knows by now.
func (p *Provider) refresh(w http.ResponseWriter, r *http.Request) {
	given := r.PostFormValue("refresh_token")
	p.mu.Lock()
	p.refreshes++
	of, ok := p.families[given]
	if ok && of.current != given {
		of.revoked = true
	}
	good := ok && !of.revoked
	if good {
		of.current = "" // until the next is given out
		if good, of.grant.person = p.able(of.grant.person.Subject); !good {
			of.revoked = true
		}
	}
	var g grant
	if good {
		g = of.grant
	}
	p.mu.Unlock()
	if !good {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	if p.has(OtherSubject) {
		g.person.Subject = "another"
	}
	p.give(w, g, of)
}

// able gives a person as it is known by now, and whether it may sign in.
func (p *Provider) able(subject string) (bool, Person) {
	for _, person := range p.People {
		if person.Subject == subject {
			return !person.Disabled, person
		}
	}
	return false, Person{Subject: subject}
}

// Refreshes counts how often a refresh token came.
func (p *Provider) Refreshes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refreshes
}
