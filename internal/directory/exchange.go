package directory

import (
	"encoding/json"
	"errors"
	"strings"
)

// Actor is who acts for the owner of a token, and who did so before (RFC 8693 §4.1).
type Actor struct {
	Account string `json:"account,omitempty"` // "" of one whom an issuer alone knows
	Issuer  string `json:"iss,omitempty"`
	Subject string `json:"sub,omitempty"`
	Before  *Actor `json:"act,omitempty"`
}

// MaxActors is how many may have acted, one for the other.
const MaxActors = 8

// String gives the chain as people read it, the last who acts first.
func (a *Actor) String() string {
	var all []string
	for one := a; one != nil; one = one.Before {
		name := one.Account
		if name == "" {
			name = one.Subject + " of " + one.Issuer
		}
		all = append(all, name)
	}
	return strings.Join(all, " for ")
}

// Length is how many act.
func (a *Actor) Length() int {
	n := 0
	for one := a; one != nil; one = one.Before {
		n++
	}
	return n
}

// ActorOf reads the claim of a token that says who acts (RFC 8693 §4.1); nil where there is none. What is not understood whole is an
// error: who acts would be left out.
func ActorOf(claim any, issuer string) (*Actor, error) {
	var first, last *Actor
	for n := 0; claim != nil; n++ {
		object, ok := claim.(map[string]any)
		subject, named := object["sub"].(string)
		if !ok || !named || strings.TrimSpace(subject) == "" || n >= MaxActors {
			return nil, errors.New("the claim act is not understood")
		}
		one := &Actor{Issuer: issuer, Subject: subject}
		if given, there := object["iss"]; there {
			if one.Issuer, ok = given.(string); !ok {
				return nil, errors.New("the claim act is not understood")
			}
		}
		if first == nil {
			first = one
		} else {
			last.Before = one
		}
		last, claim = one, object["act"]
	}
	return first, nil
}

// ParseActor reads a chain as it is stored.
func ParseActor(text string) (*Actor, error) {
	if text == "" {
		return nil, nil
	}
	var a *Actor
	if err := json.Unmarshal([]byte(text), &a); err != nil || a == nil {
		return nil, errors.New("the chain of who acts cannot be read")
	}
	return a, nil
}

// Exchanged is a token that came of an exchange.
type Exchanged struct {
	Token  Token
	Parent int64 // the token of ours that was exchanged; 0: it was an issuer's
	Actor  *Actor
}
