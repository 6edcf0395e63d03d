package verify

import (
	"context"

	"github.com/liao-im/liao/internal/im"
)

// Codes keeps what was sent, and counts in the same statement in which it looks.
type Codes interface {
	// AddCode stores a code unless one of its limits is reached: then im.RateLimited
	// with the time until it is not.
	AddCode(ctx context.Context, c im.NewCode) error
	// TakeCodeTry counts one try at a request and returns what is stored. Of any
	// number of concurrent calls at most limit ever succeed for one request. Unknown,
	// used, expired, or limit tries taken: im.Forbidden.
	TakeCodeTry(ctx context.Context, request string, limit int) (im.StoredCode, error)
	// UseCode marks a request as used and says whether this call did it: of any number
	// of concurrent calls one is told true.
	UseCode(ctx context.Context, request string) (bool, error)
	// ReturnCode undoes one UseCode and one try.
	ReturnCode(ctx context.Context, request string) error
}

// Mailer sends one mail. It may take long; verify calls it from workers of its own.
type Mailer interface {
	// Send returns once the next server has taken the mail. html may be empty. An error
	// that has a method Temporary() bool which says true means that the mail was surely
	// not taken, and only then is it tried again.
	Send(ctx context.Context, to, subject, text, html string) error
}
