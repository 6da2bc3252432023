package database

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	for uri, want := range map[string]Address{
		"sqlite:///auth.db":                               File("auth.db"),
		"sqlite:////var/lib/auth.db":                      File("/var/lib/auth.db"),
		"sqlite+aiosqlite:///a.db?timeout=5":              File("a.db"),
		"sqlite:///a.db?check_same_thread=false":          File("a.db"),
		"postgresql://db/auth":                            {Engine: PostgreSQL, Host: "db", Name: "auth"},
		"postgres://db/auth":                              {Engine: PostgreSQL, Host: "db", Name: "auth"},
		"postgresql+psycopg2://u:p%40%2F@db:6432/auth":    {Engine: PostgreSQL, Host: "db", Port: 6432, User: "u", Password: "p@/", Name: "auth"},
		"PostgreSQL+asyncpg://u:a/b?c#d%zz@db/auth":       {Engine: PostgreSQL, Host: "db", User: "u", Password: "a/b?c#d%zz", Name: "auth"},
		"postgresql://u@[::1]:5432/auth":                  {Engine: PostgreSQL, Host: "::1", Port: 5432, User: "u", Name: "auth"},
		"postgresql+psycopg://u:p@/auth?host=/run/pg":     {Engine: PostgreSQL, Host: "/run/pg", User: "u", Password: "p", Name: "auth", Options: map[string]string{}},
		"postgresql://db/auth?sslmode=verify-full":        {Engine: PostgreSQL, Host: "db", Name: "auth", Options: map[string]string{"sslmode": "verify-full"}},
		"postgresql://db/auth?client_encoding=utf8":       {Engine: PostgreSQL, Host: "db", Name: "auth"},
		"mysql+pymysql://u:p@db/auth?charset=utf8mb4":     {Engine: MySQL, Host: "db", User: "u", Password: "p", Name: "auth", Options: map[string]string{"ssl_mode": "preferred"}},
		"mariadb+mariadbconnector://db:3307/auth":         {Engine: MySQL, Host: "db", Port: 3307, Name: "auth", Options: map[string]string{"ssl_mode": "preferred"}},
		"mysql://db/auth?ssl_ca=/ca.pem":                  {Engine: MySQL, Host: "db", Name: "auth", Options: map[string]string{"ssl_mode": "verify_identity", "ssl_ca": "/ca.pem"}},
		"mysql://db/a?ssl_ca=/c&ssl_check_hostname=false": {Engine: MySQL, Host: "db", Name: "a", Options: map[string]string{"ssl_mode": "verify_ca", "ssl_ca": "/c"}},
		"mysql+mysqldb://db/auth?ssl_mode=REQUIRED":       {Engine: MySQL, Host: "db", Name: "auth", Options: map[string]string{"ssl_mode": "required"}},
		"mysql+pymysql://db/auth?ssl_disabled=True":       {Engine: MySQL, Host: "db", Name: "auth", Options: map[string]string{"ssl_mode": "disabled"}},
		"mysql://u:p@/auth?unix_socket=/run/m.sock":       {Engine: MySQL, User: "u", Password: "p", Name: "auth", Options: map[string]string{"ssl_mode": "preferred", "unix_socket": "/run/m.sock"}},
	} {
		got, err := Parse(uri)
		if err != nil {
			t.Errorf("%s: %v", uri, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", uri, diff)
		}
	}
}

func TestRefusedAddresses(t *testing.T) {
	for uri, want := range map[string]string{
		"":                                                        "must be an address",
		"/var/lib/auth.db":                                        "must be an address",
		"mssql://db/auth":                                         "SQLite, PostgreSQL, or MySQL",
		"sqlite+pysqlcipher:///auth.db":                           "SQLite, PostgreSQL, or MySQL", // an encrypted one
		"postgresql+pymysql://db/auth":                            "SQLite, PostgreSQL, or MySQL",
		"sqlite://auth.db":                                        "three slashes",
		"sqlite:///":                                              "in memory",
		"sqlite:///:memory:":                                      "in memory",
		"sqlite:///file:x?mode=memory&uri=true":                   "in memory",
		"sqlite:///a.db?mode=ro":                                  "option mode is not understood",
		"postgresql://db":                                         "name the database",
		"postgresql://db/":                                        "name the database",
		"postgresql://db:0/auth":                                  "port",
		"postgresql://db:70000/auth":                              "port",
		"postgresql://u:p@w@db/auth":                              "%40 for @",
		"postgresql://db/auth?sslmode=off":                        "option sslmode has a value",
		"postgresql://db/auth?charset=utf8":                       "option charset is not understood",
		"postgresql://db/auth?sslmode=a&sslmode=b":                "option sslmode is there twice",
		"postgresql://db/auth?ssl=a&password=b":                   "option password belongs before the host",
		"postgresql://db/auth?host=other":                         "option host names another host",
		"postgresql://db:1/auth?port=2":                           "option port names another port",
		"postgresql://db/auth?service=x":                          "option service is not understood",
		"mysql://db/auth?charset=latin1":                          "option charset has a value",
		"mysql://db/auth?init_command=x":                          "option init_command is not understood",
		"mysql://db/auth?ssl_cert=/c":                             "option ssl_cert needs ssl_key",
		"mysql://db/auth?ssl_mode=disabled&ssl=1":                 "option ssl_mode contradicts",
		"mysql://db/auth?ssl_disabled=1&ssl_ca=/c":                "option ssl_mode contradicts",
		"mysql://db/auth?ssl_mode=required&ssl_ca=":               "option ssl_ca has a value",
		"mysql://db/auth?ssl_mode=required&ssl_ca=/c":             "option ssl_mode asks for less",
		"mysql://db/auth?ssl_mode=preferred&ssl_verify_cert=1":    "option ssl_mode asks for less",
		"mysql://db/a?ssl_check_hostname=1&ssl_verify_identity=1": "another one says too",
	} {
		if _, err := Parse(uri); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", uri, err, want)
		}
	}
}

func TestShownWithoutSecrets(t *testing.T) {
	for uri, want := range map[string]string{
		"sqlite:////a.db":                                "the file /a.db",
		"postgresql://u:hunter2@db/auth":                 "PostgreSQL's database auth at db",
		"mysql://u:hunter2@db:3307/auth?ssl_key=hunter2": "MySQL's database auth at db:3307",
		"postgresql:///auth":                             "PostgreSQL's database auth",
	} {
		a, err := Parse(strings.Replace(uri, "?ssl_key=hunter2", "?ssl_key=hunter2&ssl_cert=c", 1))
		if err != nil || a.String() != want {
			t.Errorf("%s is shown as %s, %v", uri, a, err)
		}
	}
}

// What an address says reaches PostgreSQL's client as it was said, and nothing of it becomes an option.
func TestURLSaysTheSame(t *testing.T) {
	a := Address{Engine: PostgreSQL, Host: "::1", Port: 1, User: "a:b", Password: "p?&sslmode=disable/@", Name: "d?sslmode=disable", Options: map[string]string{"sslmode": "verify-full"}}
	u, err := url.Parse(a.URL())
	if err != nil {
		t.Fatal(err)
	}
	password, _ := u.User.Password()
	got := Address{Engine: PostgreSQL, Host: u.Query().Get("host"), Port: 1, User: u.User.Username(), Password: password, Name: strings.TrimPrefix(u.Path, "/"),
		Options: map[string]string{"sslmode": u.Query().Get("sslmode")}}
	if diff := cmp.Diff(a, got); diff != "" || u.Query().Get("port") != "1" {
		t.Error(diff)
	}
}

// No message may hold what could be a password, wherever it stands in an address that is none.
func FuzzParseKeepsSecrets(f *testing.F) {
	for _, uri := range []string{"postgresql://u:hunter2@db/auth", "mysql://u:hunter2@b@db", "hunter2", "postgresql://h/d?hunter2=1", "sqlite:///hunter2?a=hunter2", "mysql://h:hunter2/d?ssl_ca=hunter2&ssl_ca=x"} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if !strings.Contains(uri, "hunter2") {
			return
		}
		if _, err := Parse(uri); err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q gives %v", uri, err)
		}
	})
}
