package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/liao-im/liao/internal/im"
)

// Defaults of Options.
const (
	codeLife  = 5 * time.Minute
	codeTries = 5
	minKey    = 16 // bytes: 128 bits
	workers   = 4
	queueSize = 1024
)

// Options say what a Service is made of. The first three are required.
type Options struct {
	Codes  Codes
	Mailer Mailer
	Key    []byte // of the HMAC over codes, at least 16 random bytes

	Limits  im.CodeLimits
	Lang    string        // of mails to who asks for none that we speak: "en" (default) or "zh"
	Expires time.Duration // life of a code; 0: 5 minutes
	Tries   int           // at one request; 0: 5
	Workers int           // mails sent at once; 0: 4
	Queue   int           // mails that wait; 0: 1,024
	Logger  *slog.Logger  // nil: none
	Audit   *slog.Logger  // nil: none
	Metrics prometheus.Registerer
}

// Service is the verify service. It is safe for use by many goroutines.
type Service struct {
	codes   Codes
	key     []byte
	limits  im.CodeLimits
	lang    string
	expires time.Duration
	tries   int
	words   *words
	queue   *queue
	audit   *slog.Logger
	metrics *metrics
}

// New returns a running service: its workers send until Close.
func New(o Options) (*Service, error) {
	if o.Codes == nil || o.Mailer == nil {
		return nil, errors.New("verify: a store of codes and a mailer are required")
	}
	if len(o.Key) < minKey {
		return nil, fmt.Errorf("verify: the key has %d bytes, at least %d are required", len(o.Key), minKey)
	}
	if o.Lang != "" && o.Lang != langEnglish && o.Lang != langChinese {
		return nil, fmt.Errorf("verify: the language is %q, and must be en or zh", o.Lang)
	}
	w, err := loadWords()
	if err != nil {
		return nil, fmt.Errorf("load the words of mails: %w", err)
	}
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	silent := slog.New(slog.DiscardHandler)
	return &Service{
		codes:   o.Codes,
		key:     o.Key,
		limits:  o.Limits,
		lang:    cmp.Or(o.Lang, langEnglish),
		expires: cmp.Or(max(o.Expires, 0), codeLife),
		tries:   cmp.Or(max(o.Tries, 0), codeTries),
		words:   w,
		queue: newQueue(o.Mailer, cmp.Or(max(o.Workers, 0), workers), cmp.Or(max(o.Queue, 0), queueSize),
			cmp.Or(o.Logger, silent), m),
		audit:   cmp.Or(o.Audit, silent),
		metrics: m,
	}, nil
}

// Close sends what waits, tries nothing again, and returns when the last mail is
// gone or ctx ends; what then still waits is lost and counted.
func (s *Service) Close(ctx context.Context) error { return s.queue.close(ctx) }
