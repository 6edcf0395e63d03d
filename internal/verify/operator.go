package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/liao-im/liao/internal/im"
)

// OperatorCode makes a code with which the owner of an address chooses a new
// password, for an operator to hand over: it is mailed to nobody and counts against
// no limit. The key is that of Options.
func OperatorCode(ctx context.Context, codes Codes, key []byte, email string, life time.Duration) (request, code string, err error) {
	if code, err = newCode(); err != nil {
		return "", "", err
	}
	request = im.NewID()
	mac := (&Service{key: key}).mac(request, im.Reset, email, code)
	if err := codes.AddCode(ctx, im.NewCode{Request: request, Purpose: im.Reset, Email: email, MAC: mac, Expires: life}); err != nil {
		return "", "", fmt.Errorf("store a code: %w", err)
	}
	return request, code, nil
}
