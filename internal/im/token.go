package im

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

// Prefixes let scanners that look for leaked secrets know ours.
const (
	AccessPrefix  = "liao_at_"
	RefreshPrefix = "liao_rt_"
)

const tokenBytes = 32

// TokenHash is SHA-256 of a token: all that is ever stored of it. A token has 256
// bits of chance, so a plain hash is enough and a look-up by it leaks no timing.
type TokenHash [sha256.Size]byte

// NewToken returns a fresh token of 256 random bits behind prefix, and its hash.
func NewToken(prefix string) (string, TokenHash) {
	var b [tokenBytes]byte
	_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the process instead
	t := prefix + base64.RawURLEncoding.EncodeToString(b[:])
	return t, sha256.Sum256([]byte(t))
}

// HashToken returns what a store knows of a token that a client gave. A token
// without the prefix, or of a length that none has, is refused unhashed.
func HashToken(prefix, token string) (TokenHash, error) {
	if len(token) != len(prefix)+base64.RawURLEncoding.EncodedLen(tokenBytes) || !strings.HasPrefix(token, prefix) {
		return TokenHash{}, Fail(Unauthenticated, "the token is not valid; log in again")
	}
	return sha256.Sum256([]byte(token)), nil
}

// NewID returns a name of 128 random bits in lower-case hex, for devices, boots,
// requests and connections.
func NewID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
