// Package faulty has one fault for each linter, marked by its name.
package faulty

import (
	"context"
	"crypto/md5" // gosec
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func Bare() {} // revive

// Unchecked removes a file.
func Unchecked() {
	os.Remove("a") // errcheck
	os.Remove("b") //nolint:errcheck // it says why
	os.Remove("c") //nolint:errcheck
	fmt.Fprintln(os.Stdout, "excluded by the file beside")
}

// Compared compares an error.
func Compared(err error) bool {
	return err == io.EOF // errorlint
}

// Ineffective assigns what it does not use.
func Ineffective() error {
	err := errors.New("a") // ineffassign, staticcheck
	err = errors.New("b")
	return err
}

// Open leaves the body of an answer open.
func Open() error {
	answer, err := http.Get("http://127.0.0.1") // bodyclose
	if err != nil {
		return err
	}
	fmt.Println(answer.Status)
	return nil
}

// Rows reads rows.
func Rows(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT 1") // govet, rowserrcheck, sqlclosecheck
	if err != nil {
		return err
	}
	for rows.Next() {
		fmt.Println("one")
	}
	return nil
}

// Sum is recieved. (misspell)
func Sum(b []byte) [16]byte {
	return md5.Sum(b) // gosec
}

// Title uses what is deprecated.
func Title(s string) string {
	return strings.Title(s) // staticcheck
}

func nobody() {} // unused

func tests() {}

// Printed is printed in another form than it has.
func Printed() {
	fmt.Printf("%d\n", "a") // govet, staticcheck
}
