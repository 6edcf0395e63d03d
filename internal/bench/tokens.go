package bench

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
)

// login is a user as `liao seed` wrote it.
type login struct {
	User   id     `json:"user"`
	Handle string `json:"handle"`
	Device string `json:"device"`
	Token  string `json:"token"`
	Peer   id     `json:"peer"`
	Conv   id     `json:"conv"`
}

// id is a 64-bit id, which JSON has as a string or as a number.
type id uint64

// UnmarshalJSON takes both.
func (n *id) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "" || s == "null" {
		*n = 0
		return nil
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return errors.New("an id is not a number") // without the text: it may be a misplaced token
	}
	*n = id(v)
	return nil
}

// readTokens reads a file of users. Its errors never quote it: it holds secrets.
func readTokens(file string) ([]login, error) {
	f, err := os.Open(file) //nolint:gosec // the operator named the file
	if err != nil {
		return nil, fmt.Errorf("open tokens: %w", err)
	}
	defer func() { _ = f.Close() }()
	var users []login
	for dec := json.NewDecoder(bufio.NewReader(f)); ; {
		var u login
		switch err := dec.Decode(&u); {
		case errors.Is(err, io.EOF):
			return users, nil
		case err != nil:
			return nil, fmt.Errorf("read tokens: user %d of %s is not what `liao seed` writes", len(users)+1, file)
		case u.Token == "":
			return nil, fmt.Errorf("read tokens: user %d of %s has no token", len(users)+1, file)
		}
		users = append(users, u)
	}
}

// couples returns pairs of friends, each once, at most n if n is not 0.
func couples(users []login, n int) ([][2]login, error) {
	byID := make(map[id]login, len(users))
	for _, u := range users {
		byID[u.User] = u
	}
	var all [][2]login
	for _, u := range users {
		peer, ok := byID[u.Peer]
		if ok && u.Conv != 0 && u.Peer != u.User && peer.Peer == u.User && (n == 0 || len(all) < n) {
			all = append(all, [2]login{u, peer})
			delete(byID, u.User)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("the tokens file has no pairs; make one with `liao seed --pairs`")
	}
	if len(all) < n {
		return nil, fmt.Errorf("the tokens file has %d pairs, not %d", len(all), n)
	}
	return all, nil
}
