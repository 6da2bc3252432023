package takeover

import "maps"

// After gives the contents as they are once a plan is done.
func After(here Contents, p Plan) Contents {
	return Contents{Users: done(here.Users, p.Users), Groups: done(here.Groups, p.Groups), Memberships: done(here.Memberships, p.Memberships),
		Identities: done(here.Identities, p.Identities), Grants: done(here.Grants, p.Grants), Patterns: done(here.Patterns, p.Patterns),
		Passwords: done(here.Passwords, p.Passwords), Tokens: done(here.Tokens, p.Tokens), Rules: done(here.Rules, p.Rules), Roles: done(here.Roles, p.Roles),
		Permissions: done(here.Permissions, p.Permissions), Assignments: done(here.Assignments, p.Assignments)}
}

func done[K comparable, V comparable](here map[K]V, p Part[K, V]) map[K]V {
	after := make(map[K]V, len(here)+len(p.Put))
	maps.Copy(after, here)
	for _, k := range p.Drop {
		delete(after, k)
	}
	maps.Copy(after, p.Put)
	return after
}
