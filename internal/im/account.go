package im

import (
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// User is what everyone may know of an account. Of a deleted account only the id
// is left.
type User struct {
	ID     UserID
	Handle string // [a-z][a-z0-9_]{2,31}, unique, never given again
	Name   string // as shown, 1..64 characters
	Avatar string // lower-case hex SHA-256 of the picture; empty: none
	Bio    string // up to 500 characters
}

// Account is what the gate may know of a user besides.
type Account struct {
	User
	Email        string // lower case
	PasswordHash string // in PHC form; empty: no password can match
	Disabled     bool
}

// NewAccount is what it takes to make an account. Its fields were checked by
// CheckEmail, CheckHandle and CheckName.
type NewAccount struct {
	Email        string
	Handle       string
	Name         string
	PasswordHash string
}

// ProfileChange holds what of a profile shall change; nil leaves a field alone.
type ProfileChange struct {
	Name *string
	Bio  *string
}

// Avatar is a picture whose bytes were checked by the gate.
type Avatar struct {
	SHA256 string // lower-case hex of Bytes
	Type   string // "image/png", "image/jpeg" or "image/webp"
	Bytes  []byte
}

const (
	maxNameRunes = 64
	maxBioRunes  = 500
	maxEmail     = 254 // RFC 5321, 4.5.3.1.3, less the angle brackets
)

// CheckEmail returns the address as it is stored and compared: lower case, without
// surrounding space. It accepts what can be mailed to, and nothing that could
// carry a second address, a display name or a header.
func CheckEmail(s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	bad := Fail(Invalid, "email must be an address such as name@example.org")
	if len(s) == 0 || len(s) > maxEmail || strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>()[]",;:\`, r)
	}) {
		return "", bad
	}
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || a.Name != "" {
		return "", bad
	}
	local, domain, _ := strings.Cut(s, "@")
	if len(local) > 64 || domain == "" {
		return "", bad
	}
	return s, nil
}

// CheckHandle returns an error unless s is [a-z][a-z0-9_]{2,31}.
func CheckHandle(s string) error {
	ok := len(s) >= 3 && len(s) <= 32 && s[0] >= 'a' && s[0] <= 'z'
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'
	}
	if !ok {
		return Fail(Invalid, "handle must be 3 to 32 characters of a-z, 0-9 and _, the first a letter")
	}
	return nil
}

// CheckName returns the shown name without surrounding space, or an error unless
// it is 1 to 64 characters on one line.
func CheckName(s string) (string, error) {
	return checkLine("name", s, 1, maxNameRunes)
}

// CheckBio returns an error unless s has at most 500 characters and no control
// characters but line breaks and tabs.
func CheckBio(s string) (string, error) {
	if !cleanText(s) {
		return "", Fail(Invalid, "bio must be UTF-8 without control characters")
	}
	if utf8.RuneCountInString(s) > maxBioRunes {
		return "", Fail(Invalid, "bio must have at most 500 characters")
	}
	return s, nil
}

// checkLine checks a short text that is shown on one line. Characters that turn
// the direction of what follows are refused: they make one name look like another.
func checkLine(what, s string, lo, hi int) (string, error) {
	s = strings.TrimSpace(s)
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 ||
			r == 0x2028 || r == 0x2029
	}) {
		return "", Fail(Invalid, what+" must be UTF-8 on one line, without control characters")
	}
	if n := utf8.RuneCountInString(s); n < lo || n > hi {
		return "", Fail(Invalid, what+" must have "+lengths(lo, hi)+" characters")
	}
	return s, nil
}

func lengths(lo, hi int) string {
	if lo == 0 {
		return "at most " + itoa(hi)
	}
	return itoa(lo) + " to " + itoa(hi)
}

// cleanText says whether s is UTF-8 without control characters but \n and \t.
func cleanText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && r != '\n' && r != '\t'
	})
}
