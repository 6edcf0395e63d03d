package verify

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"

	"github.com/liao-im/liao/internal/im"
)

// codeSpace is how many codes there are: 8 digits. With 5 tries a request and at
// most 10 requests a day and address, a guesser meets a code of one address once
// in 5,000 years.
const codeSpace = 100_000_000

// newCode returns 8 digits, each as likely as any other.
func newCode() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(codeSpace))
	if err != nil {
		return "", fmt.Errorf("make a code: %w", err)
	}
	return fmt.Sprintf("%08d", n), nil
}

// mac binds a code to its request, purpose and address. Each part goes in behind
// its length, so that no two different lists of parts are the same bytes.
func (s *Service) mac(request string, purpose im.Purpose, email, code string) (sum [32]byte) {
	h := hmac.New(sha256.New, s.key)
	for _, part := range []string{request, string(purpose), email, code} {
		var n [4]byte
		binary.BigEndian.PutUint32(n[:], uint32(len(part))) //nolint:gosec // parts are under 64 KiB
		h.Write(n[:])
		h.Write([]byte(part))
	}
	h.Sum(sum[:0])
	return sum
}
