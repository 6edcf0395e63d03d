//go:build !unix

package client

import "os"

// lockFile opens the file only: on this system nothing keeps two processes apart.
func lockFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
