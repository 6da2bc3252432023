package filesystem

import (
	"errors"
	"os"
)

// Supported refuses: the mode of a folder says nothing here of who else can write into it and so make sessions.
func Supported() error {
	return errors.New("on Windows sessions cannot be kept in files; set SESSION_TYPE to database or redis")
}

func hold(*os.File) error { return Supported() }
