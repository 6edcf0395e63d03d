package gate

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// commonGzip is what passwordlist/README.md says.
//
//go:embed passwordlist/common.txt.gz
var commonGzip []byte

// commonList holds the most common of the passwords that are long enough to be
// chosen at all.
type commonList struct{ words map[string]struct{} }

func loadCommon() (*commonList, error) {
	z, err := gzip.NewReader(bytes.NewReader(commonGzip))
	if err != nil {
		return nil, fmt.Errorf("open the list of common passwords: %w", err)
	}
	l := &commonList{words: make(map[string]struct{}, 12_000)}
	lines := bufio.NewScanner(z)
	for lines.Scan() {
		l.words[lines.Text()] = struct{}{}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the list of common passwords: %w", err)
	}
	return l, nil
}

// has says whether the password is on the list, the case of letters aside.
func (l *commonList) has(password string) bool {
	_, ok := l.words[strings.ToLower(norm.NFKC.String(password))]
	return ok
}
