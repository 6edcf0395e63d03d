package gate

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

const (
	saltBytes = 16
	hashBytes = 32
)

// params are what two hashes must share to cost the same.
type params struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
	keyID   string // of the pepper; empty: none
}

// check bounds what a hash may cost: a stored one comes from the database, and a
// damaged row must not ask for a terabyte.
func (p params) check() error {
	if p.memory < 8*uint32(p.threads) || p.memory > 1<<20 || p.time < 1 || p.time > 64 || p.threads < 1 || p.threads > 64 {
		return errors.New("parameters out of bounds")
	}
	return nil
}

// phc is a password hash as it is stored, in the PHC string format:
//
//	$argon2id$v=19$m=19456,t=2,p=1[,keyid=...]$salt$hash
type phc struct {
	params
	salt []byte
	hash []byte
}

func encoding() *base64.Encoding { return base64.RawStdEncoding.Strict() }

func (h phc) String() string {
	keyID := ""
	if h.keyID != "" {
		keyID = ",keyid=" + h.keyID
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d%s$%s$%s", argon2.Version, h.memory, h.time, h.threads, keyID,
		encoding().EncodeToString(h.salt), encoding().EncodeToString(h.hash))
}

// parsePHC reads what String wrote, and nothing else. Its errors hold no part of it.
func parsePHC(s string) (phc, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != "v="+strconv.Itoa(argon2.Version) {
		return phc{}, errors.New("not an argon2id hash")
	}
	var h phc
	if err := h.params.parse(parts[3]); err != nil {
		return phc{}, err
	}
	var err error
	if h.salt, err = encoding().DecodeString(parts[4]); err != nil || len(h.salt) != saltBytes {
		return phc{}, errors.New("bad salt")
	}
	if h.hash, err = encoding().DecodeString(parts[5]); err != nil || len(h.hash) != hashBytes {
		return phc{}, errors.New("bad hash")
	}
	return h, nil
}

func (p *params) parse(s string) error {
	fields := strings.Split(s, ",")
	if len(fields) == 4 {
		id, ok := strings.CutPrefix(fields[3], "keyid=")
		if b, err := encoding().DecodeString(id); !ok || err != nil || len(b) == 0 {
			return errors.New("bad key id")
		}
		p.keyID = id
		fields = fields[:3]
	}
	if len(fields) != 3 {
		return errors.New("bad parameters")
	}
	var n [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		v, ok := strings.CutPrefix(fields[i], name)
		if !ok || v == "" || v[0] == '0' || v[0] == '+' {
			return errors.New("bad parameters")
		}
		var err error
		if n[i], err = strconv.ParseUint(v, 10, []int{32, 32, 8}[i]); err != nil {
			return errors.New("bad parameters")
		}
	}
	p.memory, p.time, p.threads = uint32(n[0]), uint32(n[1]), uint8(n[2]) //nolint:gosec // ParseUint bounded them
	return p.check()
}
