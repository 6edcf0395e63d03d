package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/liao-im/liao/internal/config"
	"github.com/liao-im/liao/internal/store/sqlstore"
	"github.com/liao-im/liao/internal/verify"
)

// linkLife is how long an operator has to bring a password link to its user.
const linkLife = time.Hour

// passwordLink makes a way for a user to choose a new password. The operator never
// chooses or learns it.
func (op *operator) passwordLink(ctx context.Context, u sqlstore.UserRecord) error {
	if u.Email == "" {
		return errors.New("this account has no e-mail address, which a new password is bound to")
	}
	secrets, err := config.EnsureSecrets(op.config.Data, op.config.Secrets)
	if err != nil {
		return err
	}
	request, code, err := verify.OperatorCode(ctx, op.store, []byte(secrets.CodeKey.Reveal()), u.Email, linkLife)
	if err != nil {
		return err
	}
	gate := strings.TrimSuffix(op.config.HTTP.PublicURL, "/")
	if gate == "" {
		gate = "http://" + op.config.HTTP.Listen
	}
	at := url.Values{"email": {u.Email}, "request": {request}, "code": {code}}.Encode()
	_, err = fmt.Fprintf(op.std.Out, `Bring this to %[1]s by a way that you trust. It is good once, within %[6]v.

  link     %[2]s/reset#%[7]s
  e-mail   %[3]s
  request  %[4]s
  code     %[5]s
`, u.Handle, gate, u.Email, request, code, linkLife, at)
	return err
}
