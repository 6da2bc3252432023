// Package database understands the addresses of databases as SQLAlchemy writes them. It opens none.
package database

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
)

// Engine is a kind of database.
type Engine uint8

// The engines.
const (
	SQLite Engine = iota
	PostgreSQL
	MySQL // and MariaDB
)

// String names the engine as its people do.
func (e Engine) String() string { return [...]string{"SQLite", "PostgreSQL", "MySQL"}[e] }

// Address says where a database is and how it is reached. Its password is in no message.
type Address struct {
	Engine   Engine
	Path     string // of SQLite's file; all that follows is of the others
	Host     string // empty: this machine
	Port     uint16 // 0: the engine's own
	User     string
	Password string
	Name     string
	Options  map[string]string // by the names that the engine's own clients have for them
}

// File is the address of a SQLite file.
func File(path string) Address { return Address{Engine: SQLite, Path: path} }

// String tells where the database is, as it may be shown: without user, password and options.
func (a Address) String() string {
	switch {
	case a.Engine == SQLite:
		return "the file " + a.Path
	case a.Host == "":
		return a.Engine.String() + "'s database " + a.Name
	case a.Port == 0:
		return a.Engine.String() + "'s database " + a.Name + " at " + a.Host
	}
	return a.Engine.String() + "'s database " + a.Name + " at " + net.JoinHostPort(a.Host, strconv.Itoa(int(a.Port)))
}

// drivers are the names before the colon: of each engine, the Python drivers that mean nothing different here.
var drivers = map[string]struct {
	engine Engine
	python []string
}{
	"sqlite":     {SQLite, []string{"pysqlite", "aiosqlite"}},
	"postgresql": {PostgreSQL, []string{"psycopg2", "psycopg2cffi", "psycopg", "psycopg_async", "asyncpg", "pg8000"}},
	"postgres":   {PostgreSQL, nil},
	"mysql":      {MySQL, []string{"pymysql", "mysqldb", "mysqlconnector", "mariadbconnector", "aiomysql", "asyncmy", "cymysql"}},
	"mariadb":    {MySQL, []string{"pymysql", "mysqldb", "mysqlconnector", "mariadbconnector", "aiomysql", "asyncmy", "cymysql"}},
}

// Examples shows what Parse understands.
const Examples = "sqlite:///relative.db, sqlite:////absolute/path.db, postgresql://user:password@host/database or mysql://user:password@host/database"

// shape is SQLAlchemy's own: a password holds anything but an @, which is written %40.
var shape = regexp.MustCompile(`\A(?:([^:/@]*)(?::([^@]*))?@)?(?:\[([0-9A-Fa-f:.%]+)\]|([0-9A-Za-z._-]+))?(?::([0-9]*))?(?:/([^?]*))?(?:\?(.*))?\z`)

// Parse reads an address. No message of it repeats any of the address but the names of options.
func Parse(uri string) (Address, error) {
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return Address{}, errors.New("it must be an address such as " + Examples)
	}
	name, python, plus := strings.Cut(strings.ToLower(scheme), "+")
	known, ok := drivers[name]
	if !ok || plus && !among(python, known.python) {
		return Address{}, errors.New("users are kept in SQLite, PostgreSQL, or MySQL and MariaDB: " + Examples)
	}
	for _, r := range rest {
		if r < ' ' || r == 0x7f || r == 0xfffd {
			return Address{}, errors.New("a control character, or a broken one, is in it")
		}
	}
	if known.engine == SQLite {
		return file(rest)
	}
	return server(known.engine, rest)
}

func among(one string, all []string) bool {
	for _, other := range all {
		if one == other {
			return true
		}
	}
	return false
}

func file(rest string) (Address, error) {
	path, ok := strings.CutPrefix(rest, "/")
	if !ok {
		return Address{}, errors.New("SQLite's file follows three slashes, or four when its path is absolute: sqlite:///auth.db, sqlite:////var/lib/auth.db")
	}
	path, query, _ := strings.Cut(path, "?")
	if path == "" || path == ":memory:" || strings.HasPrefix(path, "file:") {
		return Address{}, errors.New("a database in memory would forget everybody; name a file")
	}
	a := Address{Engine: SQLite, Path: path}
	options, err := parseOptions(query)
	if err == nil {
		err = a.take(options)
	}
	return a, err
}

func server(engine Engine, rest string) (Address, error) {
	parts := shape.FindStringSubmatch(rest)
	if parts == nil {
		return Address{}, errors.New("it must look like " + strings.ToLower(engine.String()) + "://user:password@host:port/database; in user and password, write %40 for @ and %2F for /")
	}
	a := Address{Engine: engine, User: unescape(parts[1]), Password: unescape(parts[2]), Host: parts[3] + parts[4], Name: parts[6]}
	if parts[5] != "" {
		port, err := strconv.ParseUint(parts[5], 10, 16)
		if err != nil || port == 0 {
			return Address{}, errors.New("its port must be a number from 1 to 65535")
		}
		a.Port = uint16(port)
	}
	if a.Name == "" {
		return Address{}, errors.New("it must name the database, after a slash: " + strings.ToLower(engine.String()) + "://user:password@host/database")
	}
	options, err := parseOptions(parts[7])
	if err == nil {
		err = a.take(options)
	}
	return a, err
}

// unescape decodes what is escaped as Python does: a percent sign that escapes nothing is one.
func unescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				out.WriteByte(byte(b))
				i += 2
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// refused makes the error of an option whose value cannot be meant.
func refused(name, why string) error { return fmt.Errorf("its option %s %s", name, why) }
