package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	versions "github.com/pressly/goose/v3/database"
	"github.com/uptrace/bun/dialect/feature"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/schema"
)

// mySQL is MySQL and MariaDB.
var mySQL = &engine{
	dialect:  func() schema.Dialect { return dialectOfBoth{mysqldialect.New(mysqldialect.WithTimeLocation("UTC"))} },
	versions: versions.DialectMySQL,
	connect: func(o Options) (write, read *sql.DB, err error) {
		pool, err := openMySQL(o, 30*time.Second)
		if err != nil {
			return nil, nil, err
		}
		return pooled(pool, o.Pool), pool, nil
	},
	migrate:  func(o Options) (*sql.DB, error) { return openMySQL(o, 0) },
	words:    mySQLWords,
	alone:    aloneMySQL,
	begin:    &sql.TxOptions{Isolation: sql.LevelReadCommitted},
	rowLocks: true,
	upgraded: "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = '" + versionTable + "'",
	upsert:   "DUPLICATE KEY UPDATE",
	fault: func(err error) fault {
		var refusal *mysql.MySQLError
		if !errors.As(err, &refusal) {
			return broken
		}
		switch refusal.Number {
		case 1062: // duplicate entry
			return duplicate
		case 1213, 1205: // deadlock; waited too long for a lock
			return collided
		case 1264, 1366, 1406: // out of range; no text; too long
			return unfit
		}
		return broken
	},
}

// dialectOfBoth speaks what MySQL and MariaDB both understand, so that what holds on one holds on the other.
type dialectOfBoth struct{ *mysqldialect.Dialect }

// Init does nothing (schema.Dialect): it would ask for the version, to use what only one of them has.
func (dialectOfBoth) Init(*sql.DB) {}

// Features are those of both (schema.Dialect).
func (d dialectOfBoth) Features() feature.Feature {
	return d.Dialect.Features().Remove(feature.InsertReturning | feature.DeleteReturning | feature.DeleteTableAlias)
}

// AppendString refuses a NUL (schema.Dialect), which would be left out: one name would become another.
func (d dialectOfBoth) AppendString(b []byte, s string) []byte {
	if strings.IndexByte(s, 0) >= 0 {
		return schema.BaseDialect{}.AppendString(b, s)
	}
	return d.Dialect.AppendString(b, s)
}

// openMySQL opens a pool whose connections wait so long for an answer at most.
func openMySQL(o Options, wait time.Duration) (*sql.DB, error) {
	a, c := o.Address, mysql.NewConfig()
	c.User, c.Passwd, c.DBName, c.Net, c.Addr = a.User, a.Password, a.Name, "tcp", a.Host
	if c.Addr == "" {
		c.Addr = "127.0.0.1"
	}
	port := a.Port
	if port == 0 {
		port = 3306
	}
	c.Addr = net.JoinHostPort(c.Addr, strconv.Itoa(int(port)))
	if socket := a.Options["unix_socket"]; socket != "" {
		c.Net, c.Addr = "unix", socket
	}
	c.Timeout, c.ReadTimeout, c.WriteTimeout = connectTimeout, wait, wait
	if seconds, err := strconv.Atoi(a.Options["connect_timeout"]); err == nil {
		c.Timeout = time.Duration(seconds) * time.Second
	}
	c.ParseTime, c.Loc, c.ClientFoundRows, c.RejectReadOnly = true, time.UTC, true, true
	c.Collation = "utf8mb4_bin"
	// What the quoting of values, their lengths and the transactions rest on is set here, whatever the server's settings are.
	c.Params = map[string]string{
		"sql_mode":               "'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'",
		"time_zone":              "'+00:00'",
		"default_storage_engine": "'InnoDB'",
		"foreign_key_checks":     "1",
		"autocommit":             "1",
	}
	c.Logger = &mysql.NopLogger{} // what it would say comes with the error too
	var err error
	if c.TLS, c.AllowFallbackToPlaintext, err = tlsOf(a.Options, a.Host); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a, err)
	}
	return sql.OpenDB(connector), nil
}

// tlsOf is what ssl_mode and the files beside it mean, with mysql's own words for it; nil: no TLS.
func tlsOf(options map[string]string, host string) (config *tls.Config, fallback bool, err error) {
	mode := options["ssl_mode"]
	if mode == "disabled" || mode == "" || (mode == "preferred" && options["unix_socket"] != "") {
		return nil, false, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if path := options["ssl_ca"]; path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return nil, false, fmt.Errorf("reading the ssl_ca of OIDC_USERS_DB_URI: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, false, fmt.Errorf("the ssl_ca of OIDC_USERS_DB_URI, %s, holds no certificate", path)
		}
	}
	if cert := options["ssl_cert"]; cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, options["ssl_key"])
		if err != nil {
			return nil, false, fmt.Errorf("reading the ssl_cert and ssl_key of OIDC_USERS_DB_URI: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if mode != "verify_identity" {
		c.InsecureSkipVerify = true //nolint:gosec // as they say; verify_ca is checked below
	}
	if mode == "verify_ca" {
		c.VerifyConnection = chained(c.RootCAs)
	}
	return c, mode == "preferred", nil
}

// chained checks that a certificate is of a known authority, whatever host it names.
func chained(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		_, err := s.PeerCertificates[0].Verify(options)
		return err
	}
}

// checks are the lines of CHECKs: MySQL allows none of a column that a foreign key's action may touch.
var checks = regexp.MustCompile(`(?m)^\s*CHECK .*,\n`)

// mySQLWords finds a collation that compares every byte, and a blank at the end too: MariaDB has one, and MySQL another.
func mySQLWords(ctx context.Context, db *sql.DB) (func(string) string, error) {
	var collation sql.NullString
	err := db.QueryRowContext(ctx, "SELECT MAX(COLLATION_NAME) FROM information_schema.COLLATIONS WHERE COLLATION_NAME IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')").Scan(&collation)
	if err != nil {
		return nil, err
	}
	if !collation.Valid {
		return nil, errors.New("the users database is of a server that is too old: MySQL 8.0.17, MariaDB 10.6, or newer is needed")
	}
	as := " CHARACTER SET utf8mb4 COLLATE " + collation.String
	return func(migration string) string {
		migration = strings.ReplaceAll(migration, key, "BIGINT AUTO_INCREMENT PRIMARY KEY")
		migration = integer.ReplaceAllString(migration, "BIGINT")
		migration = varchar.ReplaceAllString(migration, "$0"+as)
		migration = text.ReplaceAllString(migration, "LONGTEXT"+as)
		migration = moment.ReplaceAllString(migration, "DATETIME(6)")
		return checks.ReplaceAllString(migration, "")
	}, nil
}

// aloneMySQL holds a lock of the database's name on a connection of its own.
func aloneMySQL(ctx context.Context, db *sql.DB) (func(), error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	const name = "LEFT(CONCAT('gw_migrations.', DATABASE()), 64)"
	release := func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "DO RELEASE_LOCK("+name+")")
		_ = conn.Close()
	}
	var held sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK("+name+", 300)").Scan(&held); err != nil || held.Int64 != 1 {
		_ = conn.Close()
		return nil, errors.Join(err, errors.New("another process has been upgrading the users database for minutes"))
	}
	return release, nil
}
