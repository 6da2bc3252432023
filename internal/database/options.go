package database

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// parseOptions reads what follows the question mark. An option that is there twice could mean either.
func parseOptions(query string) (map[string]string, error) {
	options := map[string]string{}
	if query == "" {
		return nil, nil
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, value = unescape(name), unescape(strings.ReplaceAll(value, "+", " "))
		if name == "" {
			continue
		}
		if _, twice := options[name]; twice {
			return nil, refused(shown(name), "is there twice")
		}
		options[name] = value
	}
	return options, nil
}

// shown is an option's name as a message may hold it: what looks like none may be a part of a password.
func shown(name string) string {
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_') {
			return "(its name is not shown)"
		}
	}
	return name
}

// option says what becomes of an option of a Python driver: the name under which it is kept, none where it means nothing
// here, and which values it has.
type option struct {
	name string
	is   func(value string) bool
}

func anything(string) bool { return true }

func filled(value string) bool { return value != "" }

func number(value string) bool {
	n, err := strconv.ParseUint(value, 10, 16)
	return err == nil && n > 0
}

func oneOf(values ...string) func(string) bool {
	return func(value string) bool { return slices.Contains(values, strings.ToLower(value)) }
}

func isTrue(value string) bool { return oneOf("true", "1", "yes", "on")(value) }

func yesNo(value string) bool { return isTrue(value) || oneOf("false", "0", "no", "off")(value) }

// optionsOf are the options that are understood, by engine.
var optionsOf = [...]map[string]option{
	SQLite: {
		"timeout":           {"", anything}, // who waits for a writer here waits before it begins
		"check_same_thread": {"", yesNo},
	},
	PostgreSQL: {
		"host":                 {"host", filled},
		"port":                 {"port", number},
		"sslmode":              {"sslmode", oneOf("disable", "allow", "prefer", "require", "verify-ca", "verify-full")},
		"ssl":                  {"sslmode", oneOf("disable", "allow", "prefer", "require", "verify-ca", "verify-full")}, // asyncpg's name of it
		"sslrootcert":          {"sslrootcert", filled},
		"sslcert":              {"sslcert", filled},
		"sslkey":               {"sslkey", filled},
		"channel_binding":      {"channel_binding", oneOf("disable", "prefer", "require")},
		"connect_timeout":      {"connect_timeout", number},
		"application_name":     {"application_name", filled},
		"options":              {"options", filled},
		"target_session_attrs": {"target_session_attrs", oneOf("any", "read-write", "primary")},
		"client_encoding":      {"", oneOf("utf8", "utf-8", "utf_8")},
		"gssencmode":           {"", oneOf("disable", "prefer")},
	},
	MySQL: {
		"charset":             {"", oneOf("utf8mb4", "utf8", "utf8mb3")}, // it is utf8mb4 whatever they say
		"use_unicode":         {"", isTrue},
		"unix_socket":         {"unix_socket", filled},
		"connect_timeout":     {"connect_timeout", number},
		"ssl":                 {"ssl", yesNo},
		"ssl_mode":            {"ssl_mode", oneOf("disabled", "preferred", "required", "verify_ca", "verify_identity")},
		"ssl_disabled":        {"ssl_disabled", yesNo},
		"ssl_ca":              {"ssl_ca", filled},
		"ssl_cert":            {"ssl_cert", filled},
		"ssl_key":             {"ssl_key", filled},
		"ssl_check_hostname":  {"ssl_verify_identity", yesNo},
		"ssl_verify_identity": {"ssl_verify_identity", yesNo},
		"ssl_verify_cert":     {"ssl_verify_cert", yesNo},
	},
}

// take keeps the options that mean something here, and refuses those that would mean something elsewhere.
func (a *Address) take(options map[string]string) error {
	known := optionsOf[a.Engine]
	for _, name := range sorted(options) {
		o, ok := known[name]
		switch {
		case !ok && (name == "user" || name == "password" || name == "passwd"):
			return refused(name, "belongs before the host: user:password@host")
		case !ok:
			return refused(shown(name), "is not understood; those of "+a.Engine.String()+" are "+strings.Join(sorted(known), ", "))
		case !o.is(options[name]):
			return refused(name, "has a value that is not understood")
		case o.name == "":
			continue
		}
		if a.Options == nil {
			a.Options = map[string]string{}
		}
		if _, twice := a.Options[o.name]; twice {
			return refused(name, "says what another one says too")
		}
		a.Options[o.name] = options[name]
	}
	if a.Engine == MySQL {
		return a.tls()
	}
	return a.hosts()
}

// hosts moves host and port from the options, where PostgreSQL's people write the folder of a Unix socket.
func (a *Address) hosts() error {
	if host, ok := a.Options["host"]; ok {
		if a.Host != "" {
			return refused("host", "names another host than the one before the slash")
		}
		a.Host = host
		delete(a.Options, "host")
	}
	if port, ok := a.Options["port"]; ok {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || a.Port != 0 {
			return refused("port", "names another port than the one before the slash")
		}
		a.Port = uint16(n)
		delete(a.Options, "port")
	}
	return nil
}

// tls settles on one ssl_mode what the Python drivers of MySQL say in different words. Where they contradict one another,
// the address is refused: one of them would be without the protection that it asks for.
func (a *Address) tls() error {
	said := func(name string) (value, there bool) {
		v, ok := a.Options[name]
		delete(a.Options, name)
		return isTrue(v), ok
	}
	mode := strings.ToLower(a.Options["ssl_mode"])
	_, ca := a.Options["ssl_ca"]
	on, onThere := said("ssl")
	off, offThere := said("ssl_disabled")
	identity, identityThere := said("ssl_verify_identity")
	cert, certThere := said("ssl_verify_cert")
	if mode == "" {
		switch {
		case identity, ca && !identityThere && !(certThere && !cert):
			mode = "verify_identity"
		case cert, ca && !(certThere && !cert):
			mode = "verify_ca"
		case onThere && on, offThere && !off, a.Options["ssl_cert"] != "", identityThere, certThere:
			mode = "required"
		case offThere && off, onThere && !on:
			mode = "disabled"
		default:
			mode = "preferred"
		}
	}
	disabled, verifies := mode == "disabled", mode == "verify_ca" || mode == "verify_identity"
	switch {
	case (off || onThere && !on) && !disabled, disabled && (on || ca || identity || cert):
		return refused("ssl_mode", "contradicts other options of TLS")
	case (identity && mode != "verify_identity") || (cert && !verifies) || (ca && !verifies):
		return refused("ssl_mode", "asks for less than other options of TLS do")
	case (a.Options["ssl_cert"] == "") != (a.Options["ssl_key"] == ""):
		return refused("ssl_cert", "needs ssl_key, and the other way round")
	}
	if a.Options == nil {
		a.Options = map[string]string{}
	}
	a.Options["ssl_mode"] = mode
	return nil
}

func sorted[T any](m map[string]T) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// URL is the address as PostgreSQL's own clients read it.
func (a Address) URL() string {
	u := url.URL{Scheme: "postgres", Path: "/" + a.Name}
	q := url.Values{}
	for name, value := range a.Options {
		q.Set(name, value)
	}
	if a.User != "" || a.Password != "" {
		u.User = url.UserPassword(a.User, a.Password)
		if a.Password == "" {
			u.User = url.User(a.User)
		}
	}
	if a.Host != "" {
		q.Set("host", a.Host)
	}
	if a.Port != 0 {
		q.Set("port", strconv.Itoa(int(a.Port)))
	}
	u.RawQuery = q.Encode()
	return u.String()
}
